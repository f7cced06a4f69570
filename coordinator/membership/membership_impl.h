// The implementation of Membership: admission and heartbeats in membership.cc, calls in calls.cc,
// groups of several ranks in groups.cc.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/membership/member.h"
#include "coordinator/membership/membership.h"

namespace emend::coordinator::membership {

using worker::protocol::Connection;
using worker::protocol::Envelope;
using worker::protocol::Hello;
using worker::protocol::Message;
using worker::protocol::ReplyBody;
using worker::protocol::RequestBody;

inline constexpr std::chrono::seconds kSendTimeout{30};

// kUnavailable ("worker_lost"), naming the worker.
Status Lost(const WorkerInfo& worker, const std::string& why);

class MembershipImpl final : public Membership {
 public:
  MembershipImpl(Runtime& runtime, worker::protocol::Transport& transport,
                 MembershipOptions options)
      : runtime_(runtime),
        transport_(transport),
        options_(std::move(options)),
        generations_(options_.generations),
        tasks_(runtime),
        joined_(runtime) {}

  Status Start(const std::string& address) override;
  Awaitable<void> Stop() override;
  std::string address() const override { return listener_ ? listener_->address() : ""; }
  Awaitable<Status> WaitForWorker(SteadyTime deadline) override;
  Awaitable<Result<WorkerId>> Pick(Wanted wanted, SteadyTime deadline) override;
  std::vector<WorkerId> Spare(const BaseId& base) const override;
  Awaitable<Result<ReplyBody>> Call(RequestBody request, CallOptions options) override;
  std::vector<WorkerInfo> Workers() const override;

 private:
  using MemberPointer = std::shared_ptr<Member>;
  struct Joining;  // ranks that are joining a line

  Awaitable<Status> AcceptAll();
  Awaitable<Status> Admit(std::shared_ptr<Connection> connection);
  Status Check(const Hello& hello) const;
  Awaitable<Status> RefuseAndClose(std::shared_ptr<Connection> connection, Status why);
  // On the pool. Two that join one group at once must not leave the lower number behind.
  Status Persist(const std::string& group, std::uint64_t generation);
  Awaitable<Result<MemberPointer>> Welcome(std::shared_ptr<Connection> connection, Hello hello);
  Awaitable<Status> Listen(MemberPointer member);
  Status Take(Member& member, Envelope envelope);
  Awaitable<Status> Beat(MemberPointer member);
  void Lose(Member& member, const Status& why);

  // ---- Groups of several ranks (groups.cc) ----
  // Rank, name and size must fit the group's other members.
  Status CheckGroup(const Hello& hello) const;
  // The living members of a group by rank; empty unless there is one for each.
  std::vector<MemberPointer> LivingRanks(const std::string& group) const;
  // Begins to form the group, if all its ranks are there and nobody forms it already.
  void FormIfComplete(const std::string& group);
  Awaitable<Status> Form(std::string group);
  Awaitable<Status> FormOnce(std::string group, std::vector<MemberPointer> ranks);
  // Whether they are a group already, from before their connections or this coordinator were lost.
  // What was under way on them ends.
  Awaitable<bool> Adopt(std::vector<MemberPointer> ranks);
  // Makes them one.
  Awaitable<Status> JoinAll(std::string group, std::uint64_t generation,
                            std::vector<MemberPointer> ranks);
  Awaitable<Status> Join(MemberPointer member, worker::protocol::JoinGroup request,
                         std::shared_ptr<Joining> joining);
  Awaitable<Status> Follow(MemberPointer member);
  // Its ranks serve no more: what waits for them ends, and they form the next group if all are
  // there.
  enum class Line { kStands, kBroken };  // between the ranks, as far as is known
  void Disband(const std::string& group, const Status& why, Line line);
  // "; group g0 waits for rank 1 of 2"
  std::string IncompleteGroups() const;

  using MaybeWanted = std::optional<Wanted>;
  // Until one serves: kUnavailable ("no_worker").
  Awaitable<Status> WaitForAny(SteadyTime deadline);
  // Of those that serve. Another base that would be displaced by what is wanted counts as
  // kDisplacing calls, as kEvicting while work on it is under way.
  MemberPointer LeastBusy(const MaybeWanted& wanted = std::nullopt) const;
  static std::size_t Weight(const Member& member, const MaybeWanted& wanted);
  MemberPointer FindLiving(const WorkerId& worker) const;
  Awaitable<Result<ReplyBody>> RunCall(MemberPointer member, RequestBody request,
                                       CallOptions options, SteadyTime deadline);
  // Until `call` has ended, or has its turn where that is asked for, or time or caller end the
  // wait.
  enum class Until { kTurn, kEnd };
  Awaitable<Status> WaitForCall(std::shared_ptr<PendingCall> call, Until until, SteadyTime deadline,
                                Signal* cancel);
  // Cancels a call whose caller has gone. A worker that does not end it is lost: it would keep
  // every later caller waiting.
  Awaitable<Status> EndAbandoned(MemberPointer member, std::shared_ptr<PendingCall> call,
                                 std::uint64_t id);
  Envelope Wrap(const Member& member, Message message) const {
    return {options_.store_epoch, member.info.generation, std::move(message)};
  }
  SteadyTime Now() const { return runtime_.clock().Now(); }

  // Constant after construction.
  Runtime& runtime_;
  worker::protocol::Transport& transport_;
  const MembershipOptions options_;
  // Guarded by persist_mutex_.
  std::mutex persist_mutex_;
  std::map<std::string, std::uint64_t> persisted_;  // highest written down by this run, by group
  // Owned by the executor.
  std::map<std::string, std::uint64_t> generations_;  // highest used, by group
  std::unique_ptr<worker::protocol::Listener> listener_;
  std::vector<std::shared_ptr<Connection>> joining_;  // between accept and welcome
  std::map<WorkerId, MemberPointer> workers_;
  std::map<StateId, WorkerId> affinities_;
  std::set<std::string> forming_;  // groups
  TaskGroup tasks_;
  Signal joined_;  // pulsed when a worker joins
  bool stopping_ = false;
};

}  // namespace emend::coordinator::membership
