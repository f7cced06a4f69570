#include "coordinator/operations/live_check.h"

#include <vector>

#include "coordinator/core/state_builder.h"
#include "storage/base/log.h"
#include "storage/base/reason.h"

namespace emend::coordinator::operations {
namespace {

using storage::delta::TileLeaf;
using storage::history::Repository;
using worker::protocol::DigestState;
using worker::protocol::DigestStateReply;
using worker::protocol::DigestTiles;
using worker::protocol::DigestTilesReply;
using worker::protocol::ForgetBase;
using worker::protocol::ForgetBaseReply;

LiveFaults Compare(const std::map<std::string, Digest>& live,
                   const std::map<std::string, Digest>& expected) {
  LiveFaults faults;
  for (const auto& [tensor, root] : expected) {
    const auto found = live.find(tensor);
    if (found == live.end())
      faults[tensor] = "the worker does not report this tensor, which edits touch";
    if (found != live.end() && found->second != root)
      faults[tensor] = "the worker serves other bytes: found " + found->second.Hex();
  }
  for (const auto& [tensor, root] : live) {
    if (!expected.contains(tensor))
      faults[tensor] = "the worker reports this tensor as edited, and no edit touches it";
  }
  return faults;
}

using Rebuilt = std::map<std::string, storage::delta::RebuiltTensor>;

// Runs on the pool.
Result<Rebuilt> Rebuild(const JobContext& context, const Repository& repository,
                        const StateId& state) {
  EMEND_ASSIGN_OR_RETURN(const core::StoredBase base,
                         core::OpenBase(context.layout, repository.record()));
  return core::RebuildState(base, repository, state);
}

// "; rank 1 of 2 differs, first at tile 17 of 96"; nothing where that could not be found out.
std::string PlaceOf(const DigestTilesReply& live, const std::vector<TileLeaf>& expected) {
  std::string place;
  for (std::size_t rank = 0; rank < live.tiles.size(); ++rank) {
    for (const auto& [tile, digest] : live.tiles[rank]) {
      if (tile < expected.size() && expected[tile].digest == digest) continue;
      place += "; rank " + std::to_string(rank) + " of " + std::to_string(live.tiles.size()) +
               " differs, first at tile " + std::to_string(tile) + " of " +
               std::to_string(expected.size());
      break;
    }
  }
  return place;
}

// Adds the place to each fault, where it can be found out.
Awaitable<void> AddPlaces(JobContext* context, WorkerSession* session, const Repository* repository,
                          StateId state, LiveFaults* faults) {
  const auto rebuild = [&] { return Rebuild(*context, *repository, state); };
  const Result<Rebuilt> rebuilt = co_await Blocking(context->runtime, rebuild);
  if (!rebuilt.ok()) co_return;
  for (auto& [tensor, fault] : *faults) {
    const auto expected = rebuilt->find(tensor);
    if (expected == rebuilt->end()) continue;
    DigestTiles request{repository->record().base, state, tensor};
    const auto live =
        co_await session->CallOn<DigestTilesReply>(state, std::move(request), kCallTimeout);
    if (live.ok()) fault += PlaceOf(*live, expected->second.leaves);
  }
}

// What becomes of the worker, as the end of a sentence.
Awaitable<std::string> TakeOut(WorkerSession* session, BaseId base, std::string why) {
  LogError("worker_taken_out",
           {{"worker", session->worker().value()}, {"base", base.Short()}, {"why", why}});
  ForgetBase request{base, std::move(why)};
  const auto forgotten = co_await session->Call<ForgetBaseReply>(std::move(request), kCallTimeout);
  const std::string who = "; worker " + session->worker().value();
  if (forgotten.ok()) co_return who + " was taken out and loads the model anew";
  co_return who + " could not be told to load the model anew (" + forgotten.status().message() +
      "): start it anew";
}

}  // namespace

Awaitable<Result<LiveFaults>> CheckLive(JobContext* context, WorkerSession* session,
                                        const Repository* repository, StateId state,
                                        std::map<std::string, Digest> expected) {
  const BaseId base = repository->record().base;
  DigestState request{base, state};
  const auto live =
      co_await session->CallOn<DigestStateReply>(state, std::move(request), kCallTimeout);
  if (ReasonOf(live.status()) == Reason::kLiveBytesDamaged) {
    const std::string outcome = co_await TakeOut(session, base, live.status().message());
    co_return Status(live.status().code(), live.status().slug(), live.status().message() + outcome);
  }
  if (!live.ok()) co_return live.status();
  LiveFaults faults = Compare(live->roots, expected);
  if (faults.empty()) co_return faults;
  co_await AddPlaces(context, session, repository, state, &faults);
  const std::string outcome = co_await TakeOut(
      session, base, "tensor \"" + faults.begin()->first + "\": " + faults.begin()->second);
  for (auto& [tensor, fault] : faults) fault += outcome;
  co_return faults;
}

}  // namespace emend::coordinator::operations
