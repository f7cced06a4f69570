#include "coordinator/server/completions.h"

#include <utility>

#include "coordinator/jobs/worker_session.h"

namespace emend::coordinator::server {

using storage::history::Repository;

Status Completions::CheckRoom(const answers::CompletionRequest& request) const {
  const std::size_t count = request.prompts.size() * static_cast<std::size_t>(request.count);
  return streams_.CheckRoom(count, WorkerCount());
}

std::size_t Completions::WorkerCount() const {
  return membership::Serving(context_.workers.Workers()).size();
}

Awaitable<Result<std::shared_ptr<answers::CompletionStream>>> Completions::Begin(
    answers::CompletionRequest request) {
  EMEND_CO_RETURN_IF_ERROR(CheckRoom(request));
  EMEND_CO_ASSIGN_OR_RETURN(Repository opened, co_await Blocking(context_.runtime, [&] {
                              return Repository::Open(context_.store, request.repo);
                            }));
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId id, co_await Blocking(context_.runtime, [&] {
                              return opened.Resolve(request.revision);
                            }));
  EMEND_CO_ASSIGN_OR_RETURN(const auto commit, co_await Blocking(context_.runtime, [&] {
                              return opened.ReadCommit(id);
                            }));
  // Looked at again: others came in the meantime. From here to the end nothing waits.
  EMEND_CO_RETURN_IF_ERROR(CheckRoom(request));
  request.text.base = commit.base;
  request.text.state = commit.state;
  const auto repository = std::make_shared<const Repository>(std::move(opened));
  co_return streams_.Begin(request, id, WorkerCount(), [this, repository](answers::TextCall call) {
    return Complete(repository, std::move(call));
  });
}

Awaitable<Result<worker::protocol::CompleteReply>> Completions::Complete(
    SharedRepository repository, answers::TextCall call) {
  jobs::JobControl control;
  control.cancel = call.cancel;
  control.piece = std::move(call.on_piece);
  jobs::WorkerSession session(context_, *repository, std::move(control));
  co_return co_await session.Complete(std::move(call.request));
}

}  // namespace emend::coordinator::server
