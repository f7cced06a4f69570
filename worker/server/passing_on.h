// Passing on: in a group of several ranks rank 0 gets the requests and passes each on; the others,
// each in its Follow, do the same at the same time. Whether a request goes on is rank 0's decision,
// and what fails on one rank is the answer of all.
//
// Used by the compute threads of the ranks, which make the same calls in the same order.
#pragma once

#include <functional>
#include <optional>

#include "worker/protocol/messages.h"
#include "worker/server/rank_group.h"

namespace emend::worker::server {

// Carries a request out on this rank alone.
using RunHere = std::function<Result<protocol::ReplyBody>(const protocol::RequestBody& request)>;

// `run`, with what it throws as a Status: an exception must not jump over what other ranks wait in.
Result<protocol::ReplyBody> RunGuarded(const protocol::RequestBody& request, const RunHere& run);

// Rank 0: on all ranks. kFailedPrecondition on another one.
Result<protocol::ReplyBody> Lead(RankGroup& group, const protocol::RequestBody& request,
                                 const RunHere& run);
// Rank 0 has nothing to pass on: the others know that it lives, or that it is done. Nothing to a
// group of one, or to another rank.
Status PassNothing(RankGroup& group);

struct Followed {
  std::optional<protocol::RequestBody> request;  // none: rank 0 passed nothing
  Status agreed;                                 // how it ended, on all ranks
};
// The other ranks: what rank 0 passes on next. A failure that all ranks came to is the answer, and
// the group goes on, unless it is the loss of the group ("group_lost").
Result<Followed> FollowNext(RankGroup& group, const RunHere& run);

}  // namespace emend::worker::server
