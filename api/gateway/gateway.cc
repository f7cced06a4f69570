#include "api/gateway/gateway.h"

#include <algorithm>
#include <array>

#include "storage/base/digest.h"
#include "storage/base/log.h"
#include "storage/base/reason.h"
#include "worker/protocol/messages.h"

namespace emend::api::gateway {
namespace {

using namespace std::chrono_literals;
using coordinator::answers::Caller;
using coordinator::answers::CompletionRequest;
using coordinator::answers::CompletionStream;
using coordinator::answers::ServedModel;
using coordinator::membership::CallOptions;
using worker::protocol::CompleteReply;
using worker::protocol::PublishedRef;
using worker::protocol::ReadPublicationReply;
using worker::protocol::ReplyAs;

constexpr auto kReadTimeout = 60s;
constexpr auto kCompleteTimeout = 24h;
constexpr auto kStopTimeout = 5s;

coordinator::membership::MembershipOptions ForMembership(const GatewayOptions& options) {
  coordinator::membership::MembershipOptions membership;
  membership.token = options.worker_token;
  membership.heartbeat = options.heartbeat;
  // Each connection is a life of its own: no frame outlives it.
  membership.persist_generation = [](const std::string&, std::uint64_t) { return OkStatus(); };
  return membership;
}

}  // namespace

Gateway::Gateway(Runtime& runtime, worker::protocol::Transport& transport, GatewayOptions options)
    : runtime_(runtime),
      options_(std::move(options)),
      membership_(
          coordinator::membership::NewMembership(runtime, transport, ForMembership(options_))),
      streams_(runtime),
      tasks_(runtime),
      stop_(runtime) {}

Status Gateway::Start() {
  EMEND_RETURN_IF_ERROR(membership_->Start(options_.worker_address));
  tasks_.Spawn("watch_workers", Watch());
  return OkStatus();
}

Awaitable<void> Gateway::Stop() {
  stop_.Set();
  static_cast<void>(co_await streams_.Stop());
  co_await membership_->Stop();
  const SteadyTime deadline = runtime_.clock().Now() + kStopTimeout;
  const bool joined = co_await tasks_.Join(deadline);
  if (!joined) LogWarning("gateway_still_running_at_stop", {{"tasks", tasks_.running()}});
}

Awaitable<Status> Gateway::Watch() {
  bool was_silent = false;
  while (!stop_.is_set()) {
    for (const auto& worker : membership_->Workers()) {
      if (!worker.serves) directory_.Forget(worker.worker);
      if (worker.serves && reading_.insert(worker.worker).second)
        tasks_.Spawn("read_publication", Read(worker.worker));
    }
    const bool is_silent = directory_.Silence(runtime_.clock().Now()) > 5 * options_.heartbeat;
    if (is_silent != was_silent)
      LogInfo(is_silent ? "coordinator_silent" : "coordinator_heard",
              {{"address", worker_address()}});
    was_silent = is_silent;
    co_await stop_.WaitUntil(runtime_.clock().Now() + options_.reading_period);
  }
  co_return OkStatus();
}

Awaitable<Status> Gateway::Read(WorkerId worker) {
  RequestBody request = worker::protocol::ReadPublication{};
  CallOptions options{.worker = worker, .timeout = kReadTimeout, .cancel = &stop_};
  Result<ReplyBody> said = co_await membership_->Call(std::move(request), std::move(options));
  Result<ReadPublicationReply> reply = ReplyAs<ReadPublicationReply>(std::move(said));
  reading_.erase(worker);
  // A rank that was started again, or a group: what it does not know says nothing, neither of
  // tokens nor of how long emendd is away.
  const bool knows = !reply.ok() || reply->publication.sequence > 0;
  if (!knows) reply = Unavailable("emendd has published nothing to it yet");
  if (reply.ok()) {
    if (!directory_.Knows(worker))
      LogInfo("worker_serves", {{"worker", worker.value()}, {"names", reply->served.size()}});
    directory_.Note(worker, std::move(reply).value(), runtime_.clock().Now());
  } else if (directory_.Knows(worker) && !stop_.is_set()) {
    LogWarning("worker_serves_no_more", {{"worker", worker.value()}, {"status", reply.status()}});
    directory_.Forget(worker);
  }
  co_return OkStatus();
}

Status Gateway::CheckSilence() const {
  const auto silence = directory_.Silence(runtime_.clock().Now());
  if (options_.silence_max == 0s || silence <= options_.silence_max) return OkStatus();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(silence);
  return {StatusCode::kUnavailable, "coordinator_silent",
          "nothing was heard of emendd for " + std::to_string(seconds.count()) +
              " s, and what it said then counts for " +
              std::to_string(options_.silence_max.count()) +
              " s (--silence-max): start emendd, or connect the workers to it again"};
}

Result<PublishedRef> Gateway::Find(const RepoName& repo, const std::string& revision) const {
  EMEND_RETURN_IF_ERROR(CheckSilence());
  return directory_.Find(repo, revision);
}

Status Gateway::Ready() const {
  EMEND_RETURN_IF_ERROR(CheckSilence());
  if (directory_.ServesAny()) return OkStatus();
  return Unavailable(
      "no worker that serves this gateway has anything live that emendd has published");
}

Awaitable<Result<Caller>> Gateway::Authenticate(std::string secret) {
  const auto token = directory_.FindToken(Sha256(secret));
  if (token) co_return Caller{{token->principal, token->id}, {"ask"}};
  if (directory_.empty()) {
    co_return Status(StatusCode::kUnavailable, "no_worker",
                     "checking a token: no worker serves this gateway yet, and they know the "
                     "tokens; try again in a few seconds");
  }
  co_return Status(StatusCode::kUnauthenticated,
                   "no token that may ask has this secret: ask an administrator of emendd for one");
}

Awaitable<Result<std::vector<ServedModel>>> Gateway::ListModels() {
  EMEND_CO_RETURN_IF_ERROR(CheckSilence());
  std::vector<ServedModel> models;
  for (const PublishedRef& ref : directory_.Served())
    models.push_back({ref.repo, ref.ref, ref.commit, static_cast<std::int64_t>(ref.created_ms)});
  co_return models;
}

WorkerId Gateway::PickHolder(const BaseId& base, const StateId& state,
                             const std::set<WorkerId>& failed) const {
  WorkerId best;
  std::size_t least = 0;
  for (const WorkerId& worker : directory_.Holders(base, state)) {
    const auto running = running_.find(worker);
    const std::size_t load = running == running_.end() ? 0 : running->second;
    if (failed.contains(worker) || (!best.value().empty() && load >= least)) continue;
    best = worker;
    least = load;
  }
  return best;
}

Awaitable<Result<Gateway::ReplyBody>> Gateway::CallHolder(BaseId base, StateId state,
                                                          RequestBody request, OnPiece on_piece,
                                                          Signal* cancel) {
  std::set<WorkerId> failed;
  Status last(StatusCode::kUnavailable, "state_not_live",
              "state " + state.Short() +
                  " is live at no worker that serves this gateway; try again in a few seconds");
  while (true) {
    const WorkerId worker = PickHolder(base, state, failed);
    if (worker.value().empty())
      co_return Status(StatusCode::kUnavailable, last.slug(), last.message());
    bool has_spoken = false;
    CallOptions options{.worker = worker, .timeout = kCompleteTimeout, .cancel = cancel};
    options.on_piece = [&](const worker::protocol::Piece& piece) {
      has_spoken = true;
      on_piece(piece);
    };
    RequestBody copy = request;
    ++running_[worker];
    Result<ReplyBody> reply = co_await membership_->Call(std::move(copy), std::move(options));
    if (--running_[worker] == 0) running_.erase(worker);
    if (reply.ok() || has_spoken || !Allows(reply.status(), Retry::kElsewhere)) co_return reply;
    last = reply.status();
    failed.insert(worker);
  }
}

Awaitable<Result<std::shared_ptr<CompletionStream>>> Gateway::Complete(Caller,
                                                                       CompletionRequest request) {
  const std::size_t count = request.prompts.size() * static_cast<std::size_t>(request.count);
  const std::size_t workers = coordinator::membership::Serving(membership_->Workers()).size();
  EMEND_CO_RETURN_IF_ERROR(streams_.CheckRoom(count, workers));
  EMEND_CO_ASSIGN_OR_RETURN(const PublishedRef ref, Find(request.repo, request.revision));
  request.text.base = ref.base;
  request.text.state = ref.state;
  co_return streams_.Begin(
      request, ref.commit, workers,
      [this](coordinator::answers::TextCall call) { return CompleteText(std::move(call)); });
}

Awaitable<Result<CompleteReply>> Gateway::CompleteText(coordinator::answers::TextCall call) {
  const BaseId base = call.request.base;
  const StateId state = call.request.state;
  RequestBody request = std::move(call.request);
  Result<ReplyBody> said =
      co_await CallHolder(base, state, std::move(request), std::move(call.on_piece), call.cancel);
  co_return ReplyAs<CompleteReply>(std::move(said));
}

}  // namespace emend::api::gateway
