// WorkerSession: one worker, pinned for a job or an answer, with a base loaded and the states that it asks for live.
//
//   WorkerSession session(context, repository, control);
//   EMEND_CO_RETURN_IF_ERROR(co_await session.Open(state));
//   EMEND_CO_RETURN_IF_ERROR(co_await session.Ensure(state));
//   EMEND_CO_ASSIGN_OR_RETURN(EvaluateReply reply, co_await session.Call<EvaluateReply>(Evaluate{...}, timeout));
//
// Used on the executor; `context`, `repository` and the control's signal outlive it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "coordinator/jobs/job.h"
#include "storage/history/repository.h"

namespace emend::coordinator::jobs {

inline constexpr std::chrono::minutes kCallTimeout{10};
inline constexpr std::chrono::hours kSolveTimeout{24};  // progress is watched by heartbeats; this only bounds a worker that lives and never ends

class WorkerSession {
 public:
  WorkerSession(JobContext& context, const storage::history::Repository& repository, JobControl control)
      : context_(context), repository_(repository), control_(std::move(control)) {}

  // Picks the worker for `state` and has it load the base. What can be cancelled waits for a worker until it is; what cannot, half a minute ("no_worker").
  Awaitable<Status> Open(StateId state);
  const worker::protocol::LoadBaseReply& model() const { return model_; }

  // Makes a stored state live. Sends the payloads that the worker misses, in pieces of at most 16 MiB.
  Awaitable<Status> Ensure(StateId state);

  // kInternal if the reply is of another kind than Reply.
  template <typename Reply>
  Awaitable<Result<Reply>> Call(worker::protocol::RequestBody request, std::chrono::milliseconds timeout) {
    Result<worker::protocol::ReplyBody> reply = co_await CallAny(std::move(request), timeout);
    if (!reply.ok()) co_return reply.status();
    if (auto* typed = std::get_if<Reply>(&*reply)) co_return std::move(*typed);
    co_return Internal("a worker answered a request with a reply of another kind");
  }

 private:
  Awaitable<Status> Pick(StateId state);
  Awaitable<Result<worker::protocol::ReplyBody>> CallAny(worker::protocol::RequestBody request, std::chrono::milliseconds timeout);
  Awaitable<Status> SendEdits(std::vector<EditId> missing);

  JobContext& context_;
  const storage::history::Repository& repository_;
  JobControl control_;
  WorkerId worker_;
  worker::protocol::LoadBaseReply model_;
};

}  // namespace emend::coordinator::jobs
