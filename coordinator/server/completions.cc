#include "coordinator/server/completions.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "coordinator/jobs/worker_session.h"

namespace emend::coordinator::server {
namespace {

using storage::history::Repository;

constexpr std::chrono::seconds kJoinTimeout{30};
constexpr std::chrono::minutes kSilenceMax{10};        // of all its texts: longer ones are given up
constexpr std::chrono::milliseconds kWantedLook{250};  // whether somebody still waits for them

}  // namespace

// What a stream and the calls behind it share.
struct Completions::Shared {
  Shared(Runtime& runtime, Repository opened) : repository(std::move(opened)), cancel(runtime), changed(runtime) {}
  const Repository repository;
  Signal cancel;
  Signal changed;
  std::deque<CompletionPiece> pieces;  // at most a piece for each token that was asked for
  std::size_t running = 0;
  Status failure;  // the first
};

class Completions::Stream final : public CompletionStream {
 public:
  Stream(Runtime& runtime, std::shared_ptr<Shared> shared, CommitId commit, StateId state)
      : CompletionStream(commit, state), runtime_(runtime), shared_(std::move(shared)) {}
  ~Stream() override { shared_->cancel.Set(); }

  Awaitable<Result<std::optional<CompletionPiece>>> Next(std::function<bool()> is_wanted) override {
    const std::shared_ptr<Shared> shared = shared_;
    const SteadyTime deadline = runtime_.clock().Now() + kSilenceMax;
    while (shared->pieces.empty() && shared->failure.ok() && shared->running > 0) {
      if (!is_wanted()) co_return Status(StatusCode::kCancelled, "completing a text: nobody waits for it any more");
      const SteadyTime now = runtime_.clock().Now();
      if (now >= deadline) co_return Status(StatusCode::kDeadlineExceeded, "completing a text: nothing came of it in time");
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

std::size_t Completions::TextsMax() const { return kTextsMax * std::max<std::size_t>(1, membership::Serving(context_.membership.Workers()).size()); }

Status Completions::CheckRoom(std::size_t count) const {
  if (stopping_) return Unavailable("a text was asked for while emendd is stopping: ask the next one");
  if (running_ + count <= TextsMax()) return OkStatus();
  return {StatusCode::kResourceExhausted, "queue_full",
          "completing " + std::to_string(count) + " texts while " + std::to_string(running_) + " are under way, of " + std::to_string(TextsMax()) +
              " at most: try again later"};
}

Awaitable<Result<std::shared_ptr<CompletionStream>>> Completions::Begin(CompletionRequest request) {
  const std::size_t count = request.prompts.size() * static_cast<std::size_t>(request.count);
  EMEND_CO_RETURN_IF_ERROR(CheckRoom(count));
  EMEND_CO_ASSIGN_OR_RETURN(Repository repository, co_await Blocking(context_.runtime, [&] { return Repository::Open(context_.store, request.repo); }));
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId id, co_await Blocking(context_.runtime, [&] { return repository.Resolve(request.revision); }));
  EMEND_CO_ASSIGN_OR_RETURN(const auto commit, co_await Blocking(context_.runtime, [&] { return repository.ReadCommit(id); }));
  // Looked at again: others came in the meantime. From here to the end nothing waits.
  EMEND_CO_RETURN_IF_ERROR(CheckRoom(count));
  const auto shared = std::make_shared<Shared>(context_.runtime, std::move(repository));
  std::erase_if(shared_, [](const auto& each) { return each.expired(); });
  shared_.push_back(shared);
  request.text.base = commit.base;
  request.text.state = commit.state;
  for (std::size_t index = 0; index < count; ++index) {
    worker::protocol::Complete text = request.text;
    text.prompt = request.prompts[index / static_cast<std::size_t>(request.count)];
    text.seed += index;
    ++shared->running;
    ++running_;
    tasks_.Spawn("complete_text", Run(shared, index, std::move(text)));
  }
  co_return std::make_shared<Stream>(context_.runtime, shared, id, commit.state);
}

Awaitable<Status> Completions::Run(std::shared_ptr<Shared> shared, std::size_t index, worker::protocol::Complete request) {
  Shared* const borrowed = shared.get();
  jobs::JobControl control;
  control.cancel = &shared->cancel;
  control.piece = [borrowed, index](const worker::protocol::Piece& piece) {
    borrowed->pieces.push_back({.index = index, .text = piece.text, .tokens = piece.tokens, .end = std::nullopt});
    borrowed->changed.Set();
  };
  jobs::WorkerSession session(context_, shared->repository, std::move(control));
  const Result<worker::protocol::CompleteReply> reply = co_await session.Complete(std::move(request));
  --running_;
  --shared->running;
  if (reply.ok()) shared->pieces.push_back({.index = index, .text = "", .tokens = {}, .end = *reply});
  if (!reply.ok() && shared->failure.ok()) shared->failure = reply.status();
  if (!reply.ok()) shared->cancel.Set();  // the stream has failed as a whole
  shared->changed.Set();
  co_return OkStatus();
}

Awaitable<bool> Completions::Stop() {
  stopping_ = true;
  for (const auto& each : shared_) {
    if (const auto shared = each.lock()) shared->cancel.Set();
  }
  const SteadyTime deadline = context_.runtime.clock().Now() + kJoinTimeout;
  co_return co_await tasks_.Join(deadline);
}

}  // namespace emend::coordinator::server
