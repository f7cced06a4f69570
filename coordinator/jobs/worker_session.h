// WorkerSession: one worker, pinned for a job or an answer, with a base loaded and the states that
// it asks for live.
//
//   WorkerSession session(context, repository, control);
//   EMEND_CO_RETURN_IF_ERROR(co_await session.Open(state));
//   EMEND_CO_ASSIGN_OR_RETURN(EvaluateReply reply, co_await session.CallOn<EvaluateReply>(state,
//       Evaluate{...}, timeout));
//
// Used on the executor; `context`, `repository` and the control's signal outlive it.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/jobs/job.h"
#include "storage/history/repository.h"
#include "worker/protocol/messages.h"

namespace emend::coordinator::jobs {

inline constexpr std::chrono::minutes kCallTimeout{10};
// progress is watched by heartbeats; this only bounds a worker that lives and never ends
inline constexpr std::chrono::hours kSolveTimeout{24};

class WorkerSession {
 public:
  WorkerSession(JobContext& context, const storage::history::Repository& repository,
                JobControl control)
      : context_(context), repository_(repository), control_(std::move(control)) {}

  // Picks the worker for `state` and has it load the base. A job waits for a worker, and for one
  // that is busy with another base, until it is cancelled; what answers somebody, half a minute:
  // kUnavailable ("no_worker", "base_busy"). The calls below wait in the same way.
  Awaitable<Status> Open(StateId state);
  // The same with this worker and no other: once it is lost, so is the session, and where it is
  // busy with another base it is not waited for.
  Awaitable<Status> OpenOn(WorkerId worker);
  const worker::protocol::LoadBaseReply& model() const { return model_; }
  const WorkerId& worker() const { return worker_; }
  // Instead of the control's.
  void SetProgress(
      std::function<void(std::string phase, std::uint64_t done, std::uint64_t total)> progress) {
    control_.progress = std::move(progress);
  }

  // A request about the base alone. kInternal if the reply is of another kind than Reply.
  template <typename Reply>
  Awaitable<Result<Reply>> Call(worker::protocol::RequestBody request,
                                std::chrono::milliseconds timeout) {
    Result<worker::protocol::ReplyBody> reply = co_await CallAny({}, std::move(request), timeout);
    co_return worker::protocol::ReplyAs<Reply>(std::move(reply));
  }

  // A text after a prompt on a stored state, in the hope that it is live where such a text was
  // asked for before; no Open() is needed. Its pieces go to the control. Once one did, a lost
  // worker is the end of it (kUnavailable, "worker_lost"): nobody could take back what was said.
  Awaitable<Result<worker::protocol::CompleteReply>> Complete(worker::protocol::Complete request);

  // A request about stored states, which are made live first; few enough for a worker to hold.
  template <typename Reply>
  Awaitable<Result<Reply>> CallOn(std::vector<StateId> states,
                                  worker::protocol::RequestBody request,
                                  std::chrono::milliseconds timeout) {
    Result<worker::protocol::ReplyBody> reply =
        co_await CallAny(std::move(states), std::move(request), timeout);
    co_return worker::protocol::ReplyAs<Reply>(std::move(reply));
  }
  template <typename Reply>
  Awaitable<Result<Reply>> CallOn(StateId state, worker::protocol::RequestBody request,
                                  std::chrono::milliseconds timeout) {
    std::vector<StateId> states = {state};
    co_return co_await CallOn<Reply>(std::move(states), std::move(request), timeout);
  }

 private:
  Awaitable<Status> Pick();
  // Behind a "base_busy": a little later, later each time, picks again. Perhaps another worker has
  // become free.
  Awaitable<Status> WaitForTurn(Status busy);
  Awaitable<Status> Load();
  Awaitable<Status> Ensure(StateId state);
  Awaitable<Status> SendEdits(std::vector<EditId> missing);  // in pieces of at most 16 MiB
  Awaitable<Result<worker::protocol::ReplyBody>> Send(worker::protocol::RequestBody request,
                                                      std::chrono::milliseconds timeout);
  // What a request needs to have in place first.
  enum class Need { kNothing, kState, kBaseAndState };
  // Sends, again if the base or the state was displaced by others meanwhile, and to whoever serves
  // next if the worker was lost: requests change nothing, and a state that was solved in vain is
  // solved again, whole.
  Awaitable<Result<worker::protocol::ReplyBody>> CallAny(std::vector<StateId> states,
                                                         worker::protocol::RequestBody request,
                                                         std::chrono::milliseconds timeout,
                                                         Need first = Need::kState);

  JobContext& context_;
  const storage::history::Repository& repository_;
  JobControl control_;
  membership::Wanted wanted_;  // what the worker was picked for
  WorkerId worker_;
  std::optional<worker::protocol::LoadBase> load_;  // what Load() sends, once it was put together
  worker::protocol::LoadBaseReply model_;
  std::optional<SteadyTime> busy_since_;  // the first "base_busy" after the last answer
  std::chrono::milliseconds busy_wait_{0};
  bool is_pinned_ = false;   // by OpenOn
  bool has_spoken_ = false;  // a piece of a text came
};

}  // namespace emend::coordinator::jobs
