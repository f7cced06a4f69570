#include "coordinator/answers/text_streams.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace emend::coordinator::answers {
namespace {

constexpr std::chrono::seconds kJoinTimeout{30};
constexpr std::chrono::minutes kSilenceMax{10};        // of all its texts: longer ones are given up
constexpr std::chrono::milliseconds kWantedLook{100};  // whether somebody still waits for them

// Of the prompt that a refusal is about, where there are several.
std::string PlaceOf(std::size_t prompt, std::size_t prompts) {
  return prompts == 1 ? "" : "prompts[" + std::to_string(prompt) + "]";
}

}  // namespace

// Where a text waits until a worker may be asked for it.
struct Turn {
  explicit Turn(Runtime& runtime) : woken(runtime) {}
  Signal woken;
  bool has_come = false;
};

// What a stream and the calls behind it share.
struct TextStreams::Shared {
  Shared(Runtime& runtime, CompleteText how)
      : complete(std::move(how)), cancel(runtime), changed(runtime) {}
  const CompleteText complete;
  Signal cancel;
  Signal changed;
  std::deque<CompletionPiece> pieces;  // at most a piece for each token that was asked for
  std::size_t running = 0;
  std::size_t asked = 0;      // that a worker was asked for and that have not ended
  std::deque<Turn*> waiting;  // of texts that are not asked for yet, in order
  Status failure;             // the first

  void Cancel() {
    cancel.Set();
    for (Turn* turn : waiting) turn->woken.Set();
  }
};

class TextStreams::Stream final : public CompletionStream {
 public:
  Stream(Runtime& runtime, std::shared_ptr<Shared> shared, CommitId commit, StateId state)
      : CompletionStream(commit, state), runtime_(runtime), shared_(std::move(shared)) {}
  ~Stream() override { shared_->Cancel(); }

  Awaitable<Result<std::optional<CompletionPiece>>> Next(std::function<bool()> is_wanted) override {
    const std::shared_ptr<Shared> shared = shared_;
    const SteadyTime deadline = runtime_.clock().Now() + kSilenceMax;
    while (shared->pieces.empty() && shared->failure.ok() && shared->running > 0) {
      if (!is_wanted())
        co_return Status(StatusCode::kCancelled, "completing a text: nobody waits for it any more");
      const SteadyTime now = runtime_.clock().Now();
      if (now >= deadline)
        co_return Status(StatusCode::kDeadlineExceeded,
                         "completing a text: nothing came of it in time");
      shared->changed.Reset();
      co_await shared->changed.WaitUntil(std::min(deadline, now + kWantedLook));
    }
    if (shared->pieces.empty() && !shared->failure.ok()) co_return shared->failure;
    if (shared->pieces.empty()) co_return std::optional<CompletionPiece>();
    CompletionPiece piece = std::move(shared->pieces.front());
    shared->pieces.pop_front();
    co_return std::optional<CompletionPiece>(std::move(piece));
  }

 private:
  Runtime& runtime_;
  const std::shared_ptr<Shared> shared_;
};

Status TextStreams::CheckRoom(std::size_t count, std::size_t workers) const {
  if (stopping_)
    return {StatusCode::kUnavailable, "stopping",
            "a text was asked for while the server is stopping: ask the next one"};
  const std::size_t texts_max = kTextsMax * std::max<std::size_t>(1, workers);
  if (running_ + count <= texts_max) return OkStatus();
  return {StatusCode::kResourceExhausted, "queue_full",
          "completing " + std::to_string(count) + " texts while " + std::to_string(running_) +
              " are under way, of " + std::to_string(texts_max) + " at most: try again later"};
}

std::shared_ptr<CompletionStream> TextStreams::Begin(const CompletionRequest& request,
                                                     const CommitId& commit, std::size_t workers,
                                                     CompleteText complete) {
  rows_max_ = kRowsMax * std::max<std::size_t>(1, workers);
  const auto shared = std::make_shared<Shared>(runtime_, std::move(complete));
  std::erase_if(shared_, [](const auto& each) { return each.expired(); });
  shared_.push_back(shared);
  const auto per_prompt = static_cast<std::size_t>(request.count);
  for (std::size_t index = 0; index < request.prompts.size() * per_prompt; ++index) {
    worker::protocol::Complete text = request.text;
    text.prompt = request.prompts[index / per_prompt].text;
    text.tokens = request.prompts[index / per_prompt].tokens;
    text.seed += index;
    ++shared->running;
    ++running_;
    tasks_.Spawn("complete_text", Run(shared, index, std::move(text),
                                      PlaceOf(index / per_prompt, request.prompts.size())));
  }
  return std::make_shared<Stream>(runtime_, shared, commit, request.text.state);
}

Awaitable<Status> TextStreams::Run(std::shared_ptr<Shared> shared, std::size_t index,
                                   worker::protocol::Complete request, std::string place) {
  Shared* const borrowed = shared.get();
  TextCall call{.request = std::move(request), .on_piece = {}, .cancel = &shared->cancel};
  call.on_piece = [borrowed, index](const worker::protocol::Piece& piece) {
    borrowed->pieces.push_back(
        {.index = index, .text = piece.text, .tokens = piece.tokens, .end = std::nullopt});
    borrowed->changed.Set();
  };
  const bool is_asked = co_await WaitForTurn(shared);
  if (!is_asked) co_return OkStatus();
  const Result<worker::protocol::CompleteReply> reply = co_await shared->complete(std::move(call));
  --running_;
  --asked_;
  --shared->running;
  --shared->asked;
  if (reply.ok())
    shared->pieces.push_back({.index = index, .text = "", .tokens = {}, .end = *reply});
  if (!reply.ok() && shared->failure.ok()) {
    const bool is_of_prompt = reply.status().code() == StatusCode::kInvalidArgument;
    shared->failure =
        is_of_prompt && !place.empty() ? reply.status().WithContext(place) : reply.status();
  }
  if (!reply.ok()) shared->Cancel();  // the stream has failed as a whole
  shared->changed.Set();
  Admit();
  co_return OkStatus();
}

// False: it was cancelled before its turn came, and has ended.
Awaitable<bool> TextStreams::WaitForTurn(std::shared_ptr<Shared> shared) {
  Turn turn(runtime_);
  shared->waiting.push_back(&turn);
  Admit();
  if (!turn.has_come && !shared->cancel.is_set()) co_await turn.woken.WaitUntil(SteadyTime::max());
  if (turn.has_come) co_return true;
  std::erase(shared->waiting, &turn);
  if (shared->failure.ok())
    shared->failure = {StatusCode::kCancelled, "completing a text: it was cancelled as it waited"};
  --running_;
  --shared->running;
  shared->changed.Set();
  co_return false;
}

bool TextStreams::MayEnter(const Shared& shared) const {
  if (shared.cancel.is_set()) return false;
  const std::size_t others = asked_ - shared.asked;
  if (asked_ >= rows_max_) return false;
  return shared.asked < std::max<std::size_t>(1, (rows_max_ - others) / 2);
}

void TextStreams::Admit() {
  while (true) {
    std::shared_ptr<Shared> next;
    for (const auto& each : shared_) {
      const std::shared_ptr<Shared> shared = each.lock();
      if (shared == nullptr || shared->waiting.empty() || !MayEnter(*shared)) continue;
      if (next == nullptr || shared->asked < next->asked) next = shared;
    }
    if (next == nullptr) return;
    ++asked_;
    ++next->asked;
    next->waiting.front()->has_come = true;
    next->waiting.front()->woken.Set();
    next->waiting.pop_front();
  }
}

Awaitable<bool> TextStreams::Stop() {
  stopping_ = true;
  for (const auto& each : shared_) {
    if (const auto shared = each.lock()) shared->Cancel();
  }
  const SteadyTime deadline = runtime_.clock().Now() + kJoinTimeout;
  co_return co_await tasks_.Join(deadline);
}

}  // namespace emend::coordinator::answers
