// The table of requests: all that is to be known of one, beside its fields and what answers it.
//
// A new request is its struct (with its reply and the fields of both, in one of the *_messages.h),
// a row here, and a function of worker/server/requests.h.
//
// A worker has three lanes of requests. Work runs one at a time, in order; questions, and what must
// be in place for them, one at a time between two of the work's reports; texts many at once, a step
// for all of them. A request keeps its lane from the coordinator's line of calls to the worker's
// compute thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <variant>

#include "worker/protocol/answer_messages.h"
#include "worker/protocol/blame_messages.h"
#include "worker/protocol/joining_messages.h"
#include "worker/protocol/probe_messages.h"
#include "worker/protocol/publication_messages.h"
#include "worker/protocol/work_messages.h"

namespace emend::worker::protocol {

enum class Lane : std::uint8_t { kWork, kAnswers, kTexts };
inline constexpr std::size_t kLaneCount = 3;
// Calls of the lane that a worker takes at once.
constexpr std::size_t WidthOf(Lane lane) { return lane == Lane::kTexts ? 64 : 1; }

// Who does it, in a group of several ranks: rank 0 passes it on to all, or the one that is asked,
// since it is about the group itself.
enum class FanOut : std::uint8_t { kAllRanks, kOneRank };
// What it does with the base that is held: nothing, since it is about names; prepare it for what
// comes; or work with it.
enum class OnBase : std::uint8_t { kNothing, kPrepares, kWorks };
enum class Asker : std::uint8_t { kCoordinator, kGatewayToo };

struct RequestTraits {
  std::uint16_t kind = 0;  // on the wire, of the reply as well; never reused
  std::string_view name;   // in logs and errors
  Lane lane = Lane::kWork;
  FanOut fan_out = FanOut::kAllRanks;
  OnBase on_base = OnBase::kWorks;
  Asker asker = Asker::kCoordinator;
};

template <typename T>
struct RequestRow {
  using Request = T;
  RequestTraits traits;
};

inline constexpr std::tuple kRequests = {
    RequestRow<LoadBase>{
        {.kind = 1, .name = "load_base", .lane = Lane::kAnswers, .on_base = OnBase::kPrepares}},
    RequestRow<EnsureState>{
        {.kind = 2, .name = "ensure_state", .lane = Lane::kAnswers, .on_base = OnBase::kPrepares}},
    RequestRow<PutEdits>{
        {.kind = 3, .name = "put_edits", .lane = Lane::kAnswers, .on_base = OnBase::kPrepares}},
    RequestRow<ComputeStatistics>{{.kind = 4, .name = "compute_statistics"}},
    RequestRow<Solve>{{.kind = 5, .name = "solve"}},
    RequestRow<Evaluate>{{.kind = 6, .name = "evaluate"}},
    RequestRow<DigestState>{{.kind = 8, .name = "digest_state"}},
    RequestRow<SampleTexts>{{.kind = 9, .name = "sample_texts"}},
    RequestRow<OpenLine>{{.kind = 10, .name = "open_line", .fan_out = FanOut::kOneRank}},
    RequestRow<JoinGroup>{{.kind = 11, .name = "join_group", .fan_out = FanOut::kOneRank}},
    RequestRow<Follow>{{.kind = 12, .name = "follow", .fan_out = FanOut::kOneRank}},
    RequestRow<Complete>{
        {.kind = 13, .name = "complete", .lane = Lane::kTexts, .asker = Asker::kGatewayToo}},
    RequestRow<OptimiseTargets>{{.kind = 14, .name = "optimise_targets"}},
    RequestRow<StepTexts>{{.kind = 15, .name = "step_texts"}},
    RequestRow<ProbeRanks>{{.kind = 16, .name = "probe_ranks", .lane = Lane::kAnswers}},
    RequestRow<DigestTiles>{{.kind = 17, .name = "digest_tiles"}},
    RequestRow<ForgetBase>{{.kind = 18, .name = "forget_base"}},
    RequestRow<Publish>{
        {.kind = 19, .name = "publish", .lane = Lane::kAnswers, .on_base = OnBase::kNothing}},
    RequestRow<ReadPublication>{{.kind = 20,
                                 .name = "read_publication",
                                 .lane = Lane::kAnswers,
                                 .on_base = OnBase::kNothing,
                                 .asker = Asker::kGatewayToo}},
    RequestRow<AdoptGroup>{
        {.kind = 21, .name = "adopt_group", .lane = Lane::kAnswers, .fan_out = FanOut::kOneRank}},
    RequestRow<Blame>{{.kind = 22, .name = "blame"}},
};

namespace internal {
template <typename... T>
std::variant<T...> RequestsOf(const std::tuple<RequestRow<T>...>&);
template <typename... T>
std::variant<typename T::Reply...> RepliesOf(const std::tuple<RequestRow<T>...>&);
}  // namespace internal

using RequestBody = decltype(internal::RequestsOf(kRequests));
using ReplyBody = decltype(internal::RepliesOf(kRequests));

// Its row.
const RequestTraits& TraitsOf(const RequestBody& request);

}  // namespace emend::worker::protocol
