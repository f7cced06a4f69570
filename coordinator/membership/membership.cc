#include "coordinator/membership/membership.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "coordinator/membership/member.h"
#include "storage/base/digest.h"
#include "storage/base/log.h"

namespace emend::coordinator::membership {
namespace {

using namespace std::chrono_literals;
using worker::protocol::Connection;
using worker::protocol::Envelope;
using worker::protocol::Hello;
using worker::protocol::Message;
using worker::protocol::ReplyBody;
using worker::protocol::RequestBody;

constexpr auto kHelloTimeout = 10s;
constexpr auto kSendTimeout = 30s;
constexpr auto kStopTimeout = 5s;
constexpr auto kCancelPoll = 50ms;
constexpr int kBeatsMissedMax = 3;
constexpr std::size_t kAffinitiesMax = 1024;
constexpr std::size_t kJoiningMax = 64;  // connections that have not proven a token

Status Lost(const WorkerInfo& worker, const std::string& why) {
  return {StatusCode::kUnavailable, "worker_lost",
          "worker " + worker.worker.value() + " (" + worker.peer + ", generation " + std::to_string(worker.generation) + ") was lost: " + why};
}

// By digest: how long it takes tells nothing about the secret.
bool SameSecret(const std::string& a, const std::string& b) { return Sha256(a) == Sha256(b); }

class MembershipImpl final : public Membership {
 public:
  MembershipImpl(Runtime& runtime, worker::protocol::Transport& transport, MembershipOptions options)
      : runtime_(runtime), transport_(transport), options_(std::move(options)), generations_(options_.generations), tasks_(runtime), joined_(runtime) {}

  Status Start(const std::string& address) override {
    EMEND_ASSIGN_OR_RETURN(listener_, transport_.Listen(address));
    tasks_.Spawn("accept_workers", AcceptAll());
    return OkStatus();
  }

  Awaitable<void> Stop() override {
    stopping_ = true;
    if (listener_) listener_->Close();
    for (const auto& connection : std::exchange(joining_, {})) connection->Close();
    for (const auto& [id, member] : workers_) Lose(*member, Status(StatusCode::kCancelled, "the coordinator is stopping"));
    joined_.Set();
    const SteadyTime deadline = Now() + kStopTimeout;
    const bool joined = co_await tasks_.Join(deadline);
    if (!joined) LogWarning("membership_still_running_at_stop", {{"tasks", tasks_.running()}});
  }

  std::string address() const override { return listener_ ? listener_->address() : ""; }
  Awaitable<Status> WaitForWorker(SteadyTime deadline) override;
  Awaitable<Result<WorkerId>> Pick(StateId state, SteadyTime deadline) override;
  Awaitable<Result<ReplyBody>> Call(RequestBody request, CallOptions options) override;
  std::vector<WorkerInfo> Workers() const override;

 private:
  using MemberPointer = std::shared_ptr<Member>;

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

  // WaitForWorker for a caller that cannot go on without one: kUnavailable ("no_worker").
  Awaitable<Status> WaitForAny(SteadyTime deadline);
  MemberPointer LeastBusy() const;
  MemberPointer FindLiving(const WorkerId& worker) const;
  Awaitable<Result<ReplyBody>> RunCall(MemberPointer member, RequestBody request, CallOptions options, SteadyTime deadline);
  // Until `call` has ended, or has its turn where that is asked for, or time or caller end the wait.
  enum class Until { kTurn, kEnd };
  Awaitable<Status> WaitForCall(std::shared_ptr<PendingCall> call, Until until, SteadyTime deadline, Signal* cancel);
  // Cancels a call whose caller has gone. A worker that does not end it is lost: it would keep every later caller waiting.
  Awaitable<Status> EndAbandoned(MemberPointer member, std::shared_ptr<PendingCall> call, std::uint64_t id);
  Envelope Wrap(const Member& member, Message message) const { return {options_.store_epoch, member.info.generation, std::move(message)}; }
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
  TaskGroup tasks_;
  Signal joined_;  // pulsed when a worker joins
  bool stopping_ = false;
};

Awaitable<Status> MembershipImpl::AcceptAll() {
  while (!stopping_) {
    Result<std::shared_ptr<Connection>> accepted = co_await listener_->Accept();
    if (accepted.ok() && joining_.size() >= kJoiningMax) {
      LogWarning("connection_refused", {{"peer", (*accepted)->peer()}, {"joining", joining_.size()}});
      (*accepted)->Close();
    } else if (accepted.ok()) {
      joining_.push_back(*accepted);
      tasks_.Spawn("admit_worker", Admit(std::move(accepted).value()));
    } else if (accepted.status().code() == StatusCode::kCancelled) {
      co_return OkStatus();
    } else {
      LogWarning("accept_failed", {{"status", accepted.status()}});
      co_await Sleep(runtime_, 100ms);
    }
  }
  co_return OkStatus();
}

Status MembershipImpl::Check(const Hello& hello) const {
  const int version = hello.protocol_version;
  if (version != worker::protocol::kProtocolVersion && version + 1 != worker::protocol::kProtocolVersion) {
    return {StatusCode::kUnsupported, "protocol_version",
            "worker " + hello.worker.value() + " speaks protocol version " + std::to_string(version) + ", this coordinator " +
                std::to_string(worker::protocol::kProtocolVersion) + " and the one before"};
  }
  if (!SameSecret(hello.token, options_.token)) {
    return {StatusCode::kUnauthenticated, "worker " + hello.worker.value() + " presented another token than this store's worker-token file holds"};
  }
  if (hello.worker.value().empty() || hello.group.empty()) return InvalidArgument("a worker said hello without a name or a group");
  return OkStatus();
}

Awaitable<Status> MembershipImpl::RefuseAndClose(std::shared_ptr<Connection> connection, Status why) {
  LogWarning("worker_refused", {{"peer", connection->peer()}, {"status", why}});
  Envelope refusal{options_.store_epoch, 0, worker::protocol::Refuse{why.slug(), why.message()}};
  // Whether it hears why or not, it is not let in.
  static_cast<void>(co_await connection->Send(std::move(refusal), Now() + kSendTimeout));
  connection->Close();
  co_return OkStatus();
}

Awaitable<Status> MembershipImpl::Admit(std::shared_ptr<Connection> connection) {
  Result<Envelope> first = co_await connection->Receive(Now() + kHelloTimeout);
  std::erase(joining_, connection);
  if (!first.ok()) {
    connection->Close();
    co_return first.status();
  }
  const auto* hello = std::get_if<Hello>(&first->message);
  Status checked = hello == nullptr ? DataLoss("a worker's first message was no hello") : Check(*hello);
  if (!checked.ok()) co_return co_await RefuseAndClose(std::move(connection), std::move(checked));
  Result<MemberPointer> member = co_await Welcome(connection, *hello);
  if (!member.ok()) {
    connection->Close();
    co_return member.status();
  }
  tasks_.Spawn("worker_heartbeat", Beat(*member));
  co_return co_await Listen(std::move(member).value());
}

Status MembershipImpl::Persist(const std::string& group, std::uint64_t generation) {
  const std::lock_guard lock(persist_mutex_);
  std::uint64_t& highest = persisted_[group];
  if (generation <= highest) return OkStatus();
  EMEND_RETURN_IF_ERROR(options_.persist_generation(group, generation));
  highest = generation;
  return OkStatus();
}

Awaitable<Result<MembershipImpl::MemberPointer>> MembershipImpl::Welcome(std::shared_ptr<Connection> connection, Hello hello) {
  const std::uint64_t generation = ++generations_[hello.group];
  // Written down before it is used: after a restart no frame of an older life can carry a number that is handed out again.
  const auto persist = [this, &hello, generation] { return Persist(hello.group, generation); };
  EMEND_CO_RETURN_IF_ERROR(co_await Blocking(runtime_, persist));
  if (const auto older = workers_.find(hello.worker); older != workers_.end()) Lose(*older->second, Lost(older->second->info, "it dialled again"));
  auto member = std::make_shared<Member>();
  member->connection = connection;
  member->last_heard = Now();
  WorkerInfo& info = member->info;
  info.worker = hello.worker;
  info.group = hello.group;
  info.rank = hello.rank;
  info.device = hello.device;
  info.peer = connection->peer();
  info.process_id = hello.process_id;
  info.generation = generation;
  Envelope welcome = Wrap(*member, worker::protocol::Welcome{options_.store_epoch, generation, static_cast<std::uint32_t>(options_.heartbeat.count())});
  EMEND_CO_RETURN_IF_ERROR(co_await connection->Send(std::move(welcome), Now() + kSendTimeout));
  if (stopping_) co_return Status(StatusCode::kCancelled, "the coordinator is stopping");
  workers_[hello.worker] = member;
  LogInfo("worker_joined", {{"worker", hello.worker.value()}, {"group", hello.group}, {"peer", info.peer}, {"generation", generation}});
  joined_.Set();
  joined_.Reset();
  co_return member;
}

Awaitable<Status> MembershipImpl::Listen(MemberPointer member) {
  while (!member->lost) {
    const auto silence = kBeatsMissedMax * options_.heartbeat;
    Result<Envelope> received = co_await member->connection->Receive(Now() + silence);
    Status taken = received.status();
    if (received.ok()) taken = Take(*member, std::move(received).value());
    if (taken.code() == StatusCode::kDeadlineExceeded) {
      taken = Lost(member->info, "nothing was heard of it for " + std::to_string(silence.count()) + " ms");
    }
    if (!taken.ok()) Lose(*member, taken.slug() == "worker_lost" ? taken : Lost(member->info, taken.message()));
  }
  co_return OkStatus();
}

Status MembershipImpl::Take(Member& member, Envelope envelope) {
  if (envelope.store_epoch != options_.store_epoch || envelope.generation != member.info.generation) {
    ++member.info.stale_frames;
    return OkStatus();
  }
  member.last_heard = Now();
  if (std::holds_alternative<worker::protocol::Heartbeat>(envelope.message)) return OkStatus();
  if (const auto* progress = std::get_if<worker::protocol::Progress>(&envelope.message)) {
    if (progress->id == member.sent_call && member.under_way && member.under_way->on_progress) member.under_way->on_progress(*progress);
    return OkStatus();
  }
  auto* response = std::get_if<worker::protocol::Response>(&envelope.message);
  if (response == nullptr) return DataLoss("it sent a message that only the coordinator sends");
  if (response->id != member.sent_call) {
    ++member.info.stale_frames;
    return OkStatus();
  }
  EndCall(member, std::move(response->status), std::move(response->body));
  return OkStatus();
}

Awaitable<Status> MembershipImpl::Beat(MemberPointer member) {
  while (!member->lost) {
    Envelope beat = Wrap(*member, worker::protocol::Heartbeat{});
    // It may wait behind a large message, which is as good a sign of life.
    const Status sent = co_await member->connection->Send(std::move(beat), Now() + kSendTimeout);
    if (sent.code() == StatusCode::kUnavailable) Lose(*member, Lost(member->info, sent.message()));
    co_await Sleep(runtime_, options_.heartbeat);
  }
  co_return OkStatus();
}

void MembershipImpl::Lose(Member& member, const Status& why) {
  if (std::exchange(member.lost, true)) return;
  member.info.state = WorkerState::kLost;
  member.connection->Close();
  // Used by nobody until the next welcome, which writes down a higher one.
  ++generations_[member.info.group];
  EndAll(member, why);
  if (!stopping_) LogWarning("worker_lost", {{"worker", member.info.worker.value()}, {"status", why}});
}

Awaitable<Status> MembershipImpl::WaitForWorker(SteadyTime deadline) {
  while (LeastBusy() == nullptr) {
    if (stopping_) co_return Status(StatusCode::kCancelled, "the coordinator is stopping");
    const bool joined = co_await joined_.WaitUntil(deadline);
    if (!joined && LeastBusy() == nullptr) {
      std::string seen;
      for (const auto& [id, member] : workers_) seen += (seen.empty() ? "" : ", ") + id.value();
      co_return Status(StatusCode::kDeadlineExceeded, "no worker joined at " + address() + " in time; seen before: " + (seen.empty() ? "none" : seen));
    }
  }
  co_return OkStatus();
}

MembershipImpl::MemberPointer MembershipImpl::LeastBusy() const {
  MemberPointer best;
  for (const auto& [id, member] : workers_) {
    if (member->lost) continue;
    const auto load = [](const Member& candidate) { return candidate.line.size() + (candidate.under_way ? 1 : 0); };
    if (!best || load(*member) < load(*best)) best = member;
  }
  return best;
}

MembershipImpl::MemberPointer MembershipImpl::FindLiving(const WorkerId& worker) const {
  const auto found = workers_.find(worker);
  return found == workers_.end() || found->second->lost ? nullptr : found->second;
}

Awaitable<Status> MembershipImpl::WaitForAny(SteadyTime deadline) {
  const Status waited = co_await WaitForWorker(deadline);
  if (waited.code() == StatusCode::kDeadlineExceeded) co_return Status(StatusCode::kUnavailable, "no_worker", waited.message());
  co_return waited;
}

Awaitable<Result<WorkerId>> MembershipImpl::Pick(StateId state, SteadyTime deadline) {
  if (const auto known = affinities_.find(state); known != affinities_.end() && FindLiving(known->second)) co_return known->second;
  EMEND_CO_RETURN_IF_ERROR(co_await WaitForAny(deadline));
  if (affinities_.size() >= kAffinitiesMax) affinities_.clear();
  const WorkerId picked = LeastBusy()->info.worker;
  affinities_[state] = picked;
  co_return picked;
}

Awaitable<Result<ReplyBody>> MembershipImpl::Call(RequestBody request, CallOptions options) {
  const SteadyTime deadline = Now() + options.timeout;
  MemberPointer member = FindLiving(options.worker);
  if (!member && !options.worker.value().empty()) {
    co_return Status(StatusCode::kUnavailable, "worker_lost", "calling worker " + options.worker.value() + ": it is not connected");
  }
  if (!member) {
    EMEND_CO_RETURN_IF_ERROR(co_await WaitForAny(deadline));
    member = LeastBusy();
  }
  if (member->line.size() >= kQueueMax) {
    co_return Status(StatusCode::kResourceExhausted, "queue_full",
                     "calling worker " + member->info.worker.value() + ": " + std::to_string(kQueueMax) + " calls wait already");
  }
  co_return co_await RunCall(std::move(member), std::move(request), std::move(options), deadline);
}

Awaitable<Status> MembershipImpl::WaitForCall(std::shared_ptr<PendingCall> call, Until until, SteadyTime deadline, Signal* cancel) {
  while (!call->ended && (until == Until::kEnd || !call->has_turn)) {
    if (cancel != nullptr && cancel->is_set()) co_return Status(StatusCode::kCancelled, "the call was cancelled");
    if (Now() >= deadline) co_return Status(StatusCode::kDeadlineExceeded, "the worker did not answer in time");
    const SteadyTime next = cancel == nullptr ? deadline : std::min(deadline, Now() + kCancelPoll);
    co_await call->wake.WaitUntil(next);
    if (!call->ended && until == Until::kEnd) call->wake.Reset();
  }
  co_return OkStatus();
}

Awaitable<Status> MembershipImpl::EndAbandoned(MemberPointer member, std::shared_ptr<PendingCall> call, std::uint64_t id) {
  Envelope cancel = Wrap(*member, worker::protocol::Cancel{id});
  EMEND_CO_RETURN_IF_ERROR(co_await member->connection->Send(std::move(cancel), Now() + kSendTimeout));
  const Status ended = co_await WaitForCall(std::move(call), Until::kEnd, Now() + options_.cancel_patience, nullptr);
  if (!ended.ok()) Lose(*member, Lost(member->info, "it did not end a cancelled call within " + std::to_string(options_.cancel_patience.count()) + " ms"));
  co_return OkStatus();
}

Awaitable<Result<ReplyBody>> MembershipImpl::RunCall(MemberPointer member, RequestBody request, CallOptions options, SteadyTime deadline) {
  auto call = std::make_shared<PendingCall>(runtime_);
  call->on_progress = std::move(options.on_progress);
  member->line.push_back(call);
  AdvanceLine(*member);
  const Status turn = co_await WaitForCall(call, Until::kTurn, deadline, options.cancel);
  if (!turn.ok() && !call->has_turn) {
    std::erase(member->line, call);
    co_return turn.WithContext("waiting for worker " + member->info.worker.value() + ", which is busy");
  }
  if (call->ended) co_return call->status;
  const std::uint64_t id = member->next_call++;
  member->sent_call = id;
  ++member->info.calls;
  call->wake.Reset();
  const std::string name(worker::protocol::RequestName(request));
  Envelope envelope = Wrap(*member, worker::protocol::Request{id, std::move(request)});
  const Status sent = co_await member->connection->Send(std::move(envelope), deadline);
  if (sent.code() == StatusCode::kResourceExhausted && member->under_way == call) {
    EndCall(*member, sent, std::nullopt);
  } else if (!sent.ok()) {
    Lose(*member, Lost(member->info, sent.message()));
  }
  const Status waited = co_await WaitForCall(call, Until::kEnd, deadline, options.cancel);
  if (!waited.ok()) {
    // The worker stays busy until it answers; what it answers then is nobody's.
    call->on_progress = nullptr;
    if (!member->lost) tasks_.Spawn("cancel_call", EndAbandoned(member, call, id));
    co_return waited.WithContext("calling worker " + member->info.worker.value() + " to " + name);
  }
  if (!call->status.ok()) co_return call->status;
  if (!call->reply) co_return DataLoss("worker " + member->info.worker.value() + " answered " + name + " without a reply");
  co_return std::move(*call->reply);
}

std::vector<WorkerInfo> MembershipImpl::Workers() const {
  std::vector<WorkerInfo> workers;
  for (const auto& [id, member] : workers_) {
    workers.push_back(member->info);
    workers.back().last_heard_ms_ago = std::chrono::duration_cast<std::chrono::milliseconds>(Now() - member->last_heard).count();
  }
  return workers;
}

}  // namespace

std::unique_ptr<Membership> NewMembership(Runtime& runtime, worker::protocol::Transport& transport, MembershipOptions options) {
  return std::make_unique<MembershipImpl>(runtime, transport, std::move(options));
}

}  // namespace emend::coordinator::membership
