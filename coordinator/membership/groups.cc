// Groups of several ranks: formed when all are there, ended when one is lost, formed again under
// the next generation.
//
// Each rank opens a port, all hear of all, all join; then rank 0 is called for the group, and the
// others follow it. A group whose ranks are connected among each other, though not all to this
// coordinator all the time, is taken up as it is, with what it has in memory. One that has broken
// is never mended. What was under way on either is retried whole by whoever called.
#include <algorithm>
#include <utility>

#include "coordinator/membership/membership_impl.h"
#include "storage/base/digest.h"
#include "storage/base/log.h"
#include "storage/base/reason.h"

namespace emend::coordinator::membership {
namespace {

using namespace std::chrono_literals;
using worker::protocol::AdoptGroup;
using worker::protocol::AdoptGroupReply;
using worker::protocol::JoinGroup;
using worker::protocol::OpenLine;
using worker::protocol::OpenLineReply;

constexpr auto kFormTimeout = 30s;
constexpr auto kFormPause = 200ms;
constexpr auto kAdoptTimeout = 5s;
constexpr auto kFollowTimeout = std::chrono::hours(24 * 365 * 10);  // as long as the group lives

}  // namespace

struct MembershipImpl::Joining {
  Joining(Runtime& runtime, std::size_t count) : left(count), ended(runtime) {}
  std::size_t left;
  Status failure;
  Signal ended;
};

Status MembershipImpl::CheckGroup(const Hello& hello) const {
  const std::string who = "worker " + hello.worker.value() + " of group " + hello.group;
  if (hello.world_size < 1 || hello.rank < 0 || hello.rank >= hello.world_size) {
    return InvalidArgument(who + " said hello as rank " + std::to_string(hello.rank) + " of " +
                           std::to_string(hello.world_size));
  }
  for (const auto& [id, member] : workers_) {
    const WorkerInfo& other = member->info;
    if (member->lost || id == hello.worker || other.group != hello.group ||
        (hello.world_size == 1 && other.world_size == 1))
      continue;
    if (other.world_size != hello.world_size) {
      return {StatusCode::kFailedPrecondition, "other_world_size",
              who + " says that it has " + std::to_string(hello.world_size) + " ranks, worker " +
                  id.value() + " of it said " + std::to_string(other.world_size)};
    }
    if (other.rank == hello.rank) {
      return {StatusCode::kFailedPrecondition, "rank_taken",
              who + " is rank " + std::to_string(hello.rank) + ", which worker " + id.value() +
                  " is already"};
    }
  }
  return OkStatus();
}

std::vector<MembershipImpl::MemberPointer> MembershipImpl::LivingRanks(
    const std::string& group) const {
  std::vector<MemberPointer> ranks;
  for (const auto& [id, member] : workers_) {
    if (!member->lost && member->info.group == group) ranks.push_back(member);
  }
  if (ranks.empty() || ranks.size() != static_cast<std::size_t>(ranks[0]->info.world_size))
    return {};
  std::ranges::sort(ranks, {}, [](const MemberPointer& member) { return member->info.rank; });
  return ranks;
}

std::string MembershipImpl::IncompleteGroups() const {
  std::map<std::string, std::pair<std::size_t, std::int32_t>> groups;  // there, of how many
  for (const auto& [id, member] : workers_) {
    if (member->lost || member->info.world_size == 1) continue;
    auto& [there, size] = groups[member->info.group];
    ++there;
    size = member->info.world_size;
  }
  std::string text;
  for (const auto& [group, count] : groups) {
    text += "; of group " + group + " " + std::to_string(count.first) + " of " +
            std::to_string(count.second) + " ranks are there";
  }
  return text;
}

void MembershipImpl::FormIfComplete(const std::string& group) {
  if (stopping_ || LivingRanks(group).empty() || !forming_.insert(group).second) return;
  tasks_.Spawn("form_group", Form(group));
}

Awaitable<Status> MembershipImpl::Form(std::string group) {
  while (!stopping_) {
    std::vector<MemberPointer> ranks = LivingRanks(group);
    if (ranks.empty()) break;  // the rank that comes next begins again
    const MemberPointer leader = ranks[0];
    Status formed = co_await FormOnce(group, std::move(ranks));
    if (formed.ok() && leader->info.serves) break;
    LogWarning("group_not_formed", {{"group", group}, {"status", formed}});
    co_await Sleep(runtime_, kFormPause);
  }
  forming_.erase(group);
  co_return OkStatus();
}

Awaitable<bool> MembershipImpl::Adopt(std::vector<MemberPointer> ranks) {
  std::optional<Digest> line;
  for (const MemberPointer& member : ranks) {
    RequestBody request = AdoptGroup{};
    if (!member->is_in_line) co_return false;
    CallOptions options{.timeout = kAdoptTimeout};
    const Result<ReplyBody> reply =
        co_await RunCall(member, std::move(request), std::move(options), Now() + kAdoptTimeout);
    const auto* said = reply.ok() ? std::get_if<AdoptGroupReply>(&*reply) : nullptr;
    if (said == nullptr || !said->place || said->place->rank != member->info.rank ||
        said->place->size != member->info.world_size)
      co_return false;
    if (line.value_or(said->place->line) != said->place->line) co_return false;
    line = said->place->line;
  }
  co_return true;
}

Awaitable<Status> MembershipImpl::JoinAll(std::string group, std::uint64_t generation,
                                          std::vector<MemberPointer> ranks) {
  const SteadyTime deadline = Now() + kFormTimeout;
  JoinGroup join;
  join.generation = generation;
  // Only the workers and this coordinator know the token.
  join.secret = Sha256("line of ranks\n" + options_.token + "\n" + group + "\n" +
                       std::to_string(options_.store_epoch) + "\n" + std::to_string(generation))
                    .Hex();
  for (const MemberPointer& member : ranks) {
    RequestBody request = OpenLine{};
    CallOptions options{.timeout = kFormTimeout};
    EMEND_CO_ASSIGN_OR_RETURN(ReplyBody reply, co_await RunCall(member, std::move(request),
                                                                std::move(options), deadline));
    const auto* opened = std::get_if<OpenLineReply>(&reply);
    if (opened == nullptr)
      co_return DataLoss("worker " + member->info.worker.value() +
                         " answered open_line with another reply");
    join.addresses.push_back(opened->address);
  }
  const auto joining = std::make_shared<Joining>(runtime_, ranks.size());
  for (const MemberPointer& member : ranks) {
    join.rank = member->info.rank;
    tasks_.Spawn("join_group", Join(member, join, joining));
  }
  const bool ended = co_await joining->ended.WaitUntil(deadline);
  if (!ended)
    co_return Status(StatusCode::kDeadlineExceeded,
                     "joining the ranks of group " + group + " took longer than " +
                         std::to_string(std::chrono::seconds(kFormTimeout).count()) + " s");
  for (const MemberPointer& member : ranks) member->is_in_line = joining->failure.ok();
  co_return joining->failure;
}

Awaitable<Status> MembershipImpl::FormOnce(std::string group, std::vector<MemberPointer> ranks) {
  const SteadyTime begin = Now();
  const std::uint64_t generation = ++generations_[group];
  const auto persist = [this, &group, generation] { return Persist(group, generation); };
  EMEND_CO_RETURN_IF_ERROR(co_await Blocking(runtime_, persist));
  for (const MemberPointer& member : ranks) member->info.generation = generation;
  const bool stood = co_await Adopt(ranks);
  if (!stood) {
    EMEND_CO_RETURN_IF_ERROR(co_await JoinAll(group, generation, ranks));
  }
  const bool all_there =
      std::ranges::none_of(ranks, [](const MemberPointer& member) { return member->lost; });
  if (!all_there)
    co_return Status(StatusCode::kUnavailable, "worker_lost",
                     "a rank of group " + group + " was lost while it was formed");
  for (const MemberPointer& member : ranks) {
    if (member->info.rank > 0) tasks_.Spawn("follow", Follow(member));
  }
  ranks[0]->info.serves = true;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Now() - begin).count();
  LogInfo("group_formed", {{"group", group},
                           {"ranks", ranks.size()},
                           {"generation", generation},
                           {"stood", stood},
                           {"milliseconds", took}});
  joined_.Set();
  joined_.Reset();
  co_return OkStatus();
}

Awaitable<Status> MembershipImpl::Join(MemberPointer member, JoinGroup join,
                                       std::shared_ptr<Joining> joining) {
  RequestBody request = std::move(join);
  CallOptions options{.timeout = kFormTimeout};
  const Result<ReplyBody> joined =
      co_await RunCall(member, std::move(request), std::move(options), Now() + kFormTimeout);
  if (!joined.ok() && joining->failure.ok()) joining->failure = joined.status();
  if (--joining->left == 0) joining->ended.Set();
  co_return joined.status();
}

Awaitable<Status> MembershipImpl::Follow(MemberPointer member) {
  const std::uint64_t generation = member->info.generation;
  RequestBody request = worker::protocol::Follow{};
  CallOptions options{.timeout = kFollowTimeout};
  const Result<ReplyBody> ended =
      co_await RunCall(member, std::move(request), std::move(options), Now() + kFollowTimeout);
  if (!member->lost && member->info.generation == generation &&
      ReasonOf(ended.status()) != Reason::kWorkerLost) {
    Disband(member->info.group, Lost(member->info, ended.status().message()), Line::kBroken);
  }
  co_return ended.status();
}

void MembershipImpl::Disband(const std::string& group, const Status& why, Line line) {
  for (const auto& [id, member] : workers_) {
    if (member->lost || member->info.group != group) continue;
    if (member->info.serves && !stopping_)
      LogWarning("group_disbanded", {{"group", group}, {"status", why}});
    member->info.serves = false;
    member->is_in_line = member->is_in_line && line == Line::kStands;
    member->base.reset();
    EndAll(*member, {StatusCode::kUnavailable, "worker_lost",
                     "the group of worker " + id.value() + " lost a rank: " + why.message()});
  }
  FormIfComplete(group);
}

}  // namespace emend::coordinator::membership
