// TextStreams: texts after prompts, piece by piece, many at once, whoever it is that completes
// each of them.
//
//   EMEND_RETURN_IF_ERROR(streams.CheckRoom(count, workers));
//   std::shared_ptr<CompletionStream> stream = streams.Begin(request, commit, [this](
//       TextCall call) { return Complete(std::move(call)); });
//   while (true) {
//     EMEND_CO_ASSIGN_OR_RETURN(std::optional<CompletionPiece> piece, co_await stream->Next(
//         is_wanted));
//     if (!piece) break;                                       // all texts have ended
//   }
//
// Whoever lets go of the stream cancels what is left of it. Used on the executor only. Bounds:
// kTextsMax texts under way for each worker, of which kRowsMax are asked for at a time. Of these a
// request gets at most half of what others leave, so that the next one finds room at once however
// wide those before it are; those of a request are asked for in order.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "coordinator/answers/answer_service.h"

namespace emend::coordinator::answers {

inline constexpr std::size_t kTextsMax = 256;
inline constexpr std::size_t kRowsMax = 128;  // as many as a worker runs at a time

// One text.
struct TextCall {
  worker::protocol::Complete request;
  std::function<void(const worker::protocol::Piece&)> on_piece;
  Signal* cancel = nullptr;  // set: nobody waits for it any more
};
// A coroutine's function: what it refers to must outlive the streams.
using CompleteText =
    std::function<Awaitable<Result<worker::protocol::CompleteReply>>(TextCall call)>;

class TextStreams {
 public:
  explicit TextStreams(Runtime& runtime) : runtime_(runtime), tasks_(runtime) {}

  // kResourceExhausted ("queue_full"); kUnavailable while stopping.
  Status CheckRoom(std::size_t count, std::size_t workers) const;
  // Base and state are those of the request's text, and of `commit`; `workers` serve now.
  std::shared_ptr<CompletionStream> Begin(const CompletionRequest& request, const CommitId& commit,
                                          std::size_t workers, CompleteText complete);
  // Cancels every text and joins; false if they did not end in time.
  Awaitable<bool> Stop();

 private:
  class Stream;
  struct Shared;

  Awaitable<Status> Run(std::shared_ptr<Shared> shared, std::size_t index,
                        worker::protocol::Complete request, std::string place);
  Awaitable<bool> WaitForTurn(std::shared_ptr<Shared> shared);
  // Lets those in that may be asked for now: of the request that has the fewest first.
  void Admit();
  bool MayEnter(const Shared& shared) const;

  Runtime& runtime_;
  TaskGroup tasks_;
  std::size_t running_ = 0;  // texts that have not ended
  std::size_t asked_ = 0;    // of these, those that a worker was asked for
  std::size_t rows_max_ = kRowsMax;
  bool stopping_ = false;
  std::vector<std::weak_ptr<Shared>> shared_;
};

}  // namespace emend::coordinator::answers
