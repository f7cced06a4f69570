// Bytes and outcomes between the ranks of a group, over any communicator.
//
//   // `own` counts on rank `owner` alone
//   EMEND_ASSIGN_OR_RETURN(std::string deltas, BroadcastOutcome(communicator, own, owner));
//   // nobody goes on where one failed
//   EMEND_RETURN_IF_ERROR(AgreeOn(communicator, opened));
//
// Collectives like those of communicator.h: every rank calls them, in the same order. What fails on
// one rank alone must pass through one of them before the next collective, or the others wait for
// it until the deadline.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/collective/communicator.h"

namespace emend::worker::collective {

// Rank `root`'s bytes, on every rank.
Result<std::string> BroadcastBytes(Communicator& communicator, std::string_view own, int root);
// Every rank's bytes, by rank, on every rank.
Result<std::vector<std::string>> AllGatherBytes(Communicator& communicator, std::string_view own);

// Rank `root`'s outcome, on every rank: its bytes, or its failure.
Result<std::string> BroadcastOutcome(Communicator& communicator, const Result<std::string>& own,
                                     int root);
// Ok if it is on every rank; else the failure of the lowest rank that has one, which it names.
Status AgreeOn(Communicator& communicator, const Status& own);

}  // namespace emend::worker::collective
