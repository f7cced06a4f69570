#include "coordinator/operations/target_share.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <utility>

#include "storage/base/log.h"
#include "storage/base/reason.h"

namespace emend::coordinator::operations {
namespace {

using worker::protocol::OptimiseTargets;
using worker::protocol::OptimiseTargetsReply;
using worker::protocol::SolvedTarget;

// so that a slow worker is not waited for with much
constexpr std::size_t kPiecesPerWorker = 4;
constexpr std::chrono::hours kWait{24};  // pieces end, or their workers are lost
// how soon a cancellation is noticed while others have the last pieces
constexpr std::chrono::milliseconds kLook{500};

struct Piece {
  std::size_t begin = 0;
  std::size_t count = 0;
  double done = 0;  // share of it
  std::vector<SolvedTarget> targets;
};

struct Sharing {
  Sharing(TargetShare given, std::size_t workers)
      : share(std::move(given)), changed(share.context->runtime), stop(share.context->runtime) {
    const std::size_t facts = share.request.facts.size();
    const std::size_t size =
        std::clamp(facts / (workers * kPiecesPerWorker), kPieceFactsMin, kPieceFactsMax);
    for (std::size_t begin = 0; begin < facts; begin += size) {
      waiting.push_back(pieces.size());
      pieces.push_back(
          {.begin = begin, .count = std::min(size, facts - begin), .done = 0, .targets = {}});
    }
  }

  bool complete() const {
    return std::ranges::all_of(
        pieces, [](const Piece& piece) { return piece.targets.size() == piece.count; });
  }
  OptimiseTargets RequestOf(const Piece& piece) const {
    OptimiseTargets request = share.request;
    const auto begin = share.request.facts.begin() + static_cast<std::ptrdiff_t>(piece.begin);
    request.facts.assign(begin, begin + static_cast<std::ptrdiff_t>(piece.count));
    return request;
  }
  void Report() const {
    double facts = 0;
    for (const Piece& piece : pieces) facts += piece.done * static_cast<double>(piece.count);
    if (share.control.progress)
      share.control.progress("targets", static_cast<std::uint64_t>(facts),
                             share.request.facts.size());
  }

  const TargetShare share;
  std::vector<Piece> pieces;
  std::deque<std::size_t> waiting;  // indices of pieces
  bool refused = false;             // of a piece, for what it is
  Signal changed;
  Signal stop;  // for the other workers
};

bool MayGoBetterElsewhere(const Status& failure) {
  return Allows(failure, Retry::kElsewhere) || failure.code() == StatusCode::kCancelled;
}

// One piece on the session's worker; what fails goes back.
Awaitable<Status> TakePiece(std::shared_ptr<Sharing> sharing, WorkerSession* session) {
  const std::size_t index = sharing->waiting.front();
  sharing->waiting.pop_front();
  Piece& piece = sharing->pieces[index];
  session->SetProgress([shared = sharing.get(), &piece](const std::string&, std::uint64_t done,
                                                        std::uint64_t total) {
    piece.done = total == 0 ? 0 : static_cast<double>(done) / static_cast<double>(total);
    shared->Report();
  });
  const StateId state = sharing->share.request.state;
  OptimiseTargets request = sharing->RequestOf(piece);
  Result<OptimiseTargetsReply> reply =
      co_await session->CallOn<OptimiseTargetsReply>(state, std::move(request), kSolveTimeout);
  Status status = reply.status();
  if (reply.ok() && reply->targets.size() != piece.count)
    status = Internal("a worker was asked for targets and sent another number of them");
  if (status.ok()) {
    piece.targets = std::move(reply->targets);
    piece.done = 1;
    sharing->Report();
  } else {
    piece.done = 0;
    sharing->waiting.push_front(index);
    sharing->refused = sharing->refused || !MayGoBetterElsewhere(status);
  }
  sharing->changed.Set();
  co_return status;
}

// Another worker, until nothing waits or it fails.
Awaitable<Status> Help(std::shared_ptr<Sharing> sharing, WorkerId worker) {
  JobControl control = sharing->share.control;
  control.cancel = &sharing->stop;
  WorkerSession session(*sharing->share.context, *sharing->share.repository, std::move(control));
  Status status = co_await session.OpenOn(worker);
  while (status.ok() && !sharing->waiting.empty() && !sharing->refused)
    status = co_await TakePiece(sharing, &session);
  if (!status.ok())
    LogWarning("targets_not_shared", {{"worker", worker.value()}, {"status", status}});
  co_return OkStatus();
}

// The batch's own worker: pieces while there are any, then whatever the others bring or give back.
Awaitable<Status> Lead(std::shared_ptr<Sharing> sharing) {
  Runtime& runtime = sharing->share.context->runtime;
  while (!sharing->complete() && !sharing->refused) {
    sharing->changed.Reset();
    const Signal* const cancel = sharing->share.control.cancel;
    if (cancel != nullptr && cancel->is_set())
      co_return Status(StatusCode::kCancelled,
                       "the batch was cancelled while its targets were found");
    if (sharing->waiting.empty()) {
      co_await sharing->changed.WaitUntil(runtime.clock().Now() + kLook);
      continue;
    }
    EMEND_CO_RETURN_IF_ERROR(co_await TakePiece(sharing, sharing->share.session));
  }
  co_return OkStatus();
}

}  // namespace

Awaitable<Result<std::vector<SolvedTarget>>> ShareTargets(TargetShare share) {
  std::vector<SolvedTarget> targets;
  JobContext& context = *share.context;
  std::vector<WorkerId> others = context.workers.Spare(share.request.base);
  const std::size_t facts = share.request.facts.size();
  others.resize(
      std::min(others.size(), facts / kPieceFactsMin == 0 ? 0 : facts / kPieceFactsMin - 1));
  if (others.empty()) co_return targets;

  WorkerSession* const session = share.session;
  const auto progress = share.control.progress;
  const auto sharing = std::make_shared<Sharing>(std::move(share), others.size() + 1);
  LogInfo("targets_shared",
          {{"facts", facts}, {"pieces", sharing->pieces.size()}, {"workers", others.size() + 1}});
  TaskGroup helpers(context.runtime);
  for (const WorkerId& worker : others) helpers.Spawn("find_targets", Help(sharing, worker));
  const Status led = co_await Lead(sharing);
  sharing->stop.Set();
  const SteadyTime deadline = context.runtime.clock().Now() + kWait;
  co_await helpers.Join(deadline);
  session->SetProgress(progress);
  if (!led.ok() && !sharing->refused) co_return led;
  if (sharing->refused) co_return targets;
  for (Piece& piece : sharing->pieces)
    std::ranges::move(piece.targets, std::back_inserter(targets));
  co_return targets;
}

}  // namespace emend::coordinator::operations
