// Completions: texts behind prompts, piece by piece, many at once.
//
//   EMEND_CO_ASSIGN_OR_RETURN(auto stream, co_await completions.Begin(request));
//   while (true) {
//     EMEND_CO_ASSIGN_OR_RETURN(std::optional<CompletionPiece> piece, co_await stream->Next(is_wanted));
//     if (!piece) break;                                       // all texts have ended
//   }
//
// Each text is one call of a worker; it keeps the state of the commit that was resolved when it began, from its first token to its last. Whoever lets go of
// the stream cancels what is left of it. Used on the executor only. Bound: kTextsMax texts under way for each worker (beyond: kResourceExhausted,
// "queue_full").
#pragma once

#include <memory>

#include "coordinator/jobs/job.h"
#include "coordinator/server/service.h"

namespace emend::coordinator::server {

inline constexpr std::size_t kTextsMax = 256;

class Completions {
 public:
  // `context` must outlive it.
  explicit Completions(jobs::JobContext& context) : context_(context), tasks_(context.runtime) {}
  // As Service::Complete.
  Awaitable<Result<std::shared_ptr<CompletionStream>>> Begin(CompletionRequest request);
  // Cancels every text and joins; false if they did not end in time.
  Awaitable<bool> Stop();

 private:
  class Stream;
  struct Shared;

  std::size_t TextsMax() const;
  Status CheckRoom(std::size_t count) const;
  Awaitable<Status> Run(std::shared_ptr<Shared> shared, std::size_t index, worker::protocol::Complete request);

  jobs::JobContext& context_;
  TaskGroup tasks_;
  std::size_t running_ = 0;
  bool stopping_ = false;
  std::vector<std::weak_ptr<Shared>> shared_;
};

}  // namespace emend::coordinator::server
