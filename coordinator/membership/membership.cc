#include "coordinator/membership/membership.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "coordinator/membership/membership_impl.h"
#include "storage/base/digest.h"
#include "storage/base/log.h"
#include "storage/base/reason.h"

namespace emend::coordinator::membership {
namespace {

using namespace std::chrono_literals;

constexpr auto kHelloTimeout = 10s;
constexpr auto kStopTimeout = 5s;
constexpr int kBeatsMissedMax = 3;
constexpr std::size_t kJoiningMax = 256;  // connections that have not proven a token

// By digest: how long it takes tells nothing about the secret.
bool SameSecret(const std::string& a, const std::string& b) { return Sha256(a) == Sha256(b); }

}  // namespace

Status Lost(const WorkerInfo& worker, const std::string& why) {
  return {StatusCode::kUnavailable, "worker_lost",
          "worker " + worker.worker.value() + " (" + worker.peer + ", generation " +
              std::to_string(worker.generation) + ") was lost: " + why};
}

Status MembershipImpl::Start(const std::string& address) {
  EMEND_ASSIGN_OR_RETURN(listener_, transport_.Listen(address));
  tasks_.Spawn("accept_workers", AcceptAll());
  return OkStatus();
}

Awaitable<void> MembershipImpl::Stop() {
  stopping_ = true;
  if (listener_) listener_->Close();
  for (const auto& connection : std::exchange(joining_, {})) connection->Close();
  for (const auto& [id, member] : workers_)
    Lose(*member, Status(StatusCode::kCancelled, "the coordinator is stopping"));
  joined_.Set();
  const SteadyTime deadline = Now() + kStopTimeout;
  const bool joined = co_await tasks_.Join(deadline);
  if (!joined) LogWarning("membership_still_running_at_stop", {{"tasks", tasks_.running()}});
}

Awaitable<Status> MembershipImpl::AcceptAll() {
  while (!stopping_) {
    Result<std::shared_ptr<Connection>> accepted = co_await listener_->Accept();
    if (accepted.ok() && joining_.size() >= kJoiningMax) {
      LogWarning("connection_refused",
                 {{"peer", (*accepted)->peer()}, {"joining", joining_.size()}});
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
  if (!SameSecret(hello.token, options_.token)) {
    return {StatusCode::kUnauthenticated,
            "worker " + hello.worker.value() +
                " presented another token than this store's worker-token file holds"};
  }
  if (hello.worker.value().empty() || hello.group.empty())
    return InvalidArgument("a worker said hello without a name or a group");
  return CheckGroup(hello);
}

Awaitable<Status> MembershipImpl::RefuseAndClose(std::shared_ptr<Connection> connection,
                                                 Status why) {
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
  if (ReasonOf(first.status()) == Reason::kProtocolVersion)
    co_return co_await RefuseAndClose(std::move(connection), first.status());
  if (!first.ok()) {
    if (!stopping_)
      LogWarning("worker_refused", {{"peer", connection->peer()}, {"status", first.status()}});
    connection->Close();
    co_return first.status();
  }
  const auto* hello = std::get_if<Hello>(&first->message);
  Status checked =
      hello == nullptr ? DataLoss("a worker's first message was no hello") : Check(*hello);
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

Awaitable<Result<MembershipImpl::MemberPointer>> MembershipImpl::Welcome(
    std::shared_ptr<Connection> connection, Hello hello) {
  const std::uint64_t generation = ++generations_[hello.group];
  // Written down before it is used: after a restart no frame of an older life can carry a number
  // that is handed out again.
  const auto persist = [this, &hello, generation] { return Persist(hello.group, generation); };
  EMEND_CO_RETURN_IF_ERROR(co_await Blocking(runtime_, persist));
  if (const auto older = workers_.find(hello.worker); older != workers_.end())
    Lose(*older->second, Lost(older->second->info, "it dialled again"));
  auto member = std::make_shared<Member>();
  member->connection = connection;
  member->last_heard = Now();
  WorkerInfo& info = member->info;
  info.worker = hello.worker;
  info.group = hello.group;
  info.rank = hello.rank;
  info.world_size = hello.world_size;
  info.device = hello.device;
  info.peer = connection->peer();
  info.process_id = hello.process_id;
  info.generation = generation;
  Envelope welcome = Wrap(
      *member, worker::protocol::Welcome{options_.store_epoch, generation,
                                         static_cast<std::uint32_t>(options_.heartbeat.count())});
  EMEND_CO_RETURN_IF_ERROR(co_await connection->Send(std::move(welcome), Now() + kSendTimeout));
  if (stopping_) co_return Status(StatusCode::kCancelled, "the coordinator is stopping");
  workers_[hello.worker] = member;
  LogInfo("worker_joined", {{"worker", hello.worker.value()},
                            {"group", hello.group},
                            {"peer", info.peer},
                            {"generation", generation}});
  if (info.world_size > 1) {
    FormIfComplete(info.group);
  } else {
    member->info.serves = true;
    joined_.Set();
    joined_.Reset();
  }
  co_return member;
}

Awaitable<Status> MembershipImpl::Listen(MemberPointer member) {
  while (!member->lost) {
    const auto silence = kBeatsMissedMax * options_.heartbeat;
    Result<Envelope> received = co_await member->connection->Receive(Now() + silence);
    Status taken = received.status();
    if (received.ok()) taken = Take(*member, std::move(received).value());
    if (taken.code() == StatusCode::kDeadlineExceeded) {
      taken = Lost(member->info,
                   "nothing was heard of it for " + std::to_string(silence.count()) + " ms");
    }
    if (!taken.ok())
      Lose(*member,
           ReasonOf(taken) == Reason::kWorkerLost ? taken : Lost(member->info, taken.message()));
  }
  co_return OkStatus();
}

Status MembershipImpl::Take(Member& member, Envelope envelope) {
  if (envelope.store_epoch != options_.store_epoch ||
      envelope.generation != member.info.generation) {
    ++member.info.stale_frames;
    return OkStatus();
  }
  member.last_heard = Now();
  if (const auto* beat = std::get_if<worker::protocol::Heartbeat>(&envelope.message)) {
    member.info.memory = beat->memory;
    return OkStatus();
  }
  if (const auto* progress = std::get_if<worker::protocol::Progress>(&envelope.message)) {
    const auto call = member.FindSent(progress->id);
    if (call && call->on_progress) call->on_progress(*progress);
    return OkStatus();
  }
  if (const auto* piece = std::get_if<worker::protocol::Piece>(&envelope.message)) {
    const auto call = member.FindSent(piece->id);
    if (call && call->on_piece) call->on_piece(*piece);
    return OkStatus();
  }
  auto* response = std::get_if<worker::protocol::Response>(&envelope.message);
  if (response == nullptr) return DataLoss("it sent a message that only the coordinator sends");
  const auto call = member.FindSent(response->id);
  if (call == nullptr) {
    ++member.info.stale_frames;
    return OkStatus();
  }
  EndCall(member, call, std::move(response->status), std::move(response->body));
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
  member.info.serves = false;
  member.connection->Close();
  // Used by nobody until the next welcome, which writes down a higher one.
  ++generations_[member.info.group];
  EndAll(member, why);
  if (member.info.world_size > 1) Disband(member.info.group, why, Line::kStands);
  if (!stopping_)
    LogWarning("worker_lost", {{"worker", member.info.worker.value()}, {"status", why}});
}

std::vector<WorkerInfo> MembershipImpl::Workers() const {
  std::vector<WorkerInfo> workers;
  for (const auto& [id, member] : workers_) {
    workers.push_back(member->info);
    workers.back().last_heard_ms_ago =
        std::chrono::duration_cast<std::chrono::milliseconds>(Now() - member->last_heard).count();
  }
  return workers;
}

std::vector<WorkerInfo> Serving(std::vector<WorkerInfo> workers) {
  std::erase_if(workers, [](const WorkerInfo& worker) { return !worker.serves; });
  return workers;
}

std::unique_ptr<Membership> NewMembership(Runtime& runtime, worker::protocol::Transport& transport,
                                          MembershipOptions options) {
  return std::make_unique<MembershipImpl>(runtime, transport, std::move(options));
}

}  // namespace emend::coordinator::membership
