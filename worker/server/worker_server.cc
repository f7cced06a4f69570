#include "worker/server/worker_server.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <deque>
#include <optional>
#include <utility>

#include "storage/base/log.h"
#include "storage/base/reason.h"

namespace emend::worker::server {
namespace {

using namespace std::chrono_literals;
using protocol::Envelope;
using protocol::Message;

constexpr auto kDialTimeout = 5s;
constexpr auto kHelloTimeout = 10s;
constexpr auto kSendTimeout = 30s;
constexpr auto kWaitMin = 100ms;
constexpr auto kWaitMax = 5s;
constexpr auto kProgressPeriod = 100ms;
constexpr int kBeatsMissedMax = 3;
constexpr auto kTickPeriod = 2s;
constexpr auto kEndTimeout = 600s;  // of what is cancelled: as long as a collective may take
// an embedded worker whose coordinator cannot be reached for so long ends
constexpr auto kAloneMax = 60s;

Status CheckAllowed(Caller caller, const protocol::RequestBody& request) {
  const bool is_allowed = protocol::TraitsOf(request).asker == protocol::Asker::kGatewayToo;
  if (caller == Caller::kCoordinator || is_allowed) return OkStatus();
  return {StatusCode::kPermissionDenied, "running the request " +
                                             std::string(protocol::TraitsOf(request).name) +
                                             " for a gateway, which may ask for answers alone"};
}

}  // namespace

// One connection's life. Shared with the coroutines that serve it.
struct WorkerServer::Session {
  explicit Session(Runtime& runtime) : tasks(runtime) {}

  std::shared_ptr<protocol::Connection> connection;
  TaskGroup tasks;
  std::uint64_t store_epoch = 0;
  std::uint64_t generation = 0;
  std::chrono::milliseconds heartbeat{500};
  bool welcomed = false;
  // of the requests under way
  std::map<std::uint64_t, std::shared_ptr<std::atomic<bool>>> cancellations;
  SteadyTime progress_sent;
  bool closed = false;

  Envelope Wrap(Message message) const { return {store_epoch, generation, std::move(message)}; }
  void Close() {
    closed = true;
    connection->Close();
    for (auto& [id, cancelled] : cancellations) cancelled->store(true);
  }
};

WorkerServer::WorkerServer(Runtime& runtime, protocol::Transport& transport, Handlers& handlers,
                           WorkerServerOptions options)
    : runtime_(runtime),
      transport_(transport),
      handlers_(handlers),
      options_(std::move(options)),
      standing_(runtime),
      stop_(runtime) {}

void WorkerServer::Stop() {
  stop_.Set();
  if (session_) session_->Close();
}

Awaitable<Status> WorkerServer::Run() {
  if (options_.caller == Caller::kCoordinator) standing_.Spawn("tick", Tick());
  const Status ended = co_await DialAgainAndAgain();
  stop_.Set();
  if (options_.caller == Caller::kCoordinator) handlers_.Interrupt();
  co_await standing_.Join(SteadyTime::max());  // AwaitEnd has a deadline
  co_return ended;
}

Awaitable<Status> WorkerServer::AwaitEnd(std::shared_ptr<Session> session) {
  const SteadyTime deadline = runtime_.clock().Now() + kEndTimeout;
  const bool joined = co_await session->tasks.Join(deadline);
  if (joined) co_return OkStatus();
  LogError("request_hangs", {{"seconds", kEndTimeout.count()}});
  if (options_.on_hang) options_.on_hang();
  co_await session->tasks.Join(SteadyTime::max());
  co_return OkStatus();
}

Awaitable<Status> WorkerServer::DialAgainAndAgain() {
  std::chrono::milliseconds wait = kWaitMin;
  const SteadyTime alone_since = runtime_.clock().Now();
  while (!stop_.is_set()) {
    Report(Pulse::kDialling);
    auto dialled =
        co_await transport_.Dial(options_.address, runtime_.clock().Now() + kDialTimeout);
    if (dialled.ok()) {
      const Status ended = co_await Converse(std::move(dialled).value());
      // Another token or protocol stays another one. Other refusals (its rank is taken) pass with
      // what another process does.
      const bool refused =
          ended.code() == StatusCode::kUnauthenticated || ended.code() == StatusCode::kUnsupported;
      const Reason why = ReasonOf(ended);
      const bool for_good = why == Reason::kUnauthenticated || why == Reason::kProtocolVersion;
      if (for_good && options_.caller == Caller::kCoordinator) co_return ended;
      LogInfo("conversation_ended", {{"address", options_.address}, {"status", ended}});
      if (options_.embedded) co_return OkStatus();
      wait = refused ? kWaitMax : kWaitMin;
    } else {
      LogWarning("dial_failed", {{"address", options_.address}, {"status", dialled.status()}});
      if (options_.embedded && runtime_.clock().Now() - alone_since > kAloneMax)
        co_return dialled.status();
    }
    co_await stop_.WaitUntil(runtime_.clock().Now() + wait);
    wait = std::min<std::chrono::milliseconds>(wait * 2, kWaitMax);
  }
  co_return OkStatus();
}

Awaitable<Status> WorkerServer::Converse(std::shared_ptr<protocol::Connection> connection) {
  auto session = std::make_shared<Session>(runtime_);
  session->connection = std::move(connection);
  session_ = session;
  Status ended = co_await Join(session);
  if (ended.ok()) {
    session->tasks.Spawn("heartbeat", Beat(session));
    ended = co_await Receive(session);
  }
  session->Close();
  session_.reset();
  // A rank above 0 that was never told to follow leaves rank 0 waiting for it.
  const bool leaves_group = options_.embedded || (options_.hello.rank > 0 && !follows_);
  if (leaves_group && options_.caller == Caller::kCoordinator) handlers_.Interrupt();
  // A request under way notices its cancellation at its next report; nothing it does reaches anyone
  // any more.
  standing_.Spawn("end_conversation", AwaitEnd(session));
  co_return ended;
}

Awaitable<Status> WorkerServer::Join(std::shared_ptr<Session> session) {
  const SteadyTime deadline = runtime_.clock().Now() + kHelloTimeout;
  Envelope hello = session->Wrap(options_.hello);
  EMEND_CO_RETURN_IF_ERROR(co_await session->connection->Send(std::move(hello), deadline));
  EMEND_CO_ASSIGN_OR_RETURN(Envelope answer, co_await session->connection->Receive(deadline));
  if (const auto* refuse = std::get_if<protocol::Refuse>(&answer.message)) {
    co_return Status(StatusCode::kUnauthenticated, refuse->slug,
                     "joining " + options_.address + ": " + refuse->message);
  }
  const auto* welcome = std::get_if<protocol::Welcome>(&answer.message);
  if (welcome == nullptr)
    co_return DataLoss("joining " + options_.address +
                       ": found another message, expected a welcome");
  session->welcomed = true;
  session->store_epoch = welcome->store_epoch;
  session->generation = welcome->generation;
  session->heartbeat = std::chrono::milliseconds(welcome->heartbeat_ms);
  LogInfo("joined", {{"address", options_.address},
                     {"epoch", welcome->store_epoch},
                     {"generation", welcome->generation}});
  co_return OkStatus();
}

Awaitable<Status> WorkerServer::Receive(std::shared_ptr<Session> session) {
  while (!session->closed) {
    const SteadyTime deadline = runtime_.clock().Now() + kBeatsMissedMax * session->heartbeat;
    EMEND_CO_ASSIGN_OR_RETURN(Envelope envelope, co_await session->connection->Receive(deadline));
    // The coordinator's number is the truth: it may have risen because another rank of the group
    // was lost.
    session->generation = std::max(session->generation, envelope.generation);
    if (options_.caller == Caller::kCoordinator) handlers_.NoteCoordinator(runtime_.clock().Now());
    if (auto* request = std::get_if<protocol::Request>(&envelope.message)) {
      Begin(session, std::move(*request));
    } else if (const auto* cancel = std::get_if<protocol::Cancel>(&envelope.message)) {
      if (const auto found = session->cancellations.find(cancel->id);
          found != session->cancellations.end())
        found->second->store(true);
    } else if (!std::holds_alternative<protocol::Heartbeat>(envelope.message)) {
      co_return DataLoss("whoever calls sent a message that only workers send");
    }
  }
  co_return Status(StatusCode::kCancelled, "the worker was told to stop");
}

void WorkerServer::Report(Pulse pulse) const {
  if (options_.on_pulse) options_.on_pulse(pulse);
}

Awaitable<Status> WorkerServer::Beat(std::shared_ptr<Session> session) {
  while (!session->closed) {
    Envelope beat = session->Wrap(
        protocol::Heartbeat{options_.memory ? options_.memory() : protocol::MemoryUse()});
    // It may wait behind a large message, which is as good a sign of life.
    const Status sent =
        co_await session->connection->Send(std::move(beat), runtime_.clock().Now() + kSendTimeout);
    if (sent.code() == StatusCode::kUnavailable) session->Close();
    if (!session->closed) Report(Pulse::kConnected);
    co_await Sleep(runtime_, session->heartbeat);
  }
  co_return OkStatus();
}

void WorkerServer::Begin(const std::shared_ptr<Session>& session, protocol::Request request) {
  const auto answer = [&](const char* task, Status status,
                          std::optional<protocol::ReplyBody> body) {
    Envelope response =
        session->Wrap(protocol::Response{request.id, std::move(status), std::move(body)});
    session->tasks.Spawn(task, session->connection->Send(std::move(response),
                                                         runtime_.clock().Now() + kSendTimeout));
  };
  const Status allowed = CheckAllowed(options_.caller, request.body);
  if (!allowed.ok()) {
    answer("refuse", allowed, std::nullopt);
  } else if (std::holds_alternative<protocol::AdoptGroup>(request.body)) {
    answer("adopt_group", OkStatus(), Adopt(*session));
  } else if (std::holds_alternative<protocol::Follow>(request.body)) {
    standing_.Spawn("follow", Follow(session, std::move(request)));
  } else {
    // What the old group is at cannot end well, and the compute thread is needed for the new one.
    if (std::holds_alternative<protocol::OpenLine>(request.body)) handlers_.Interrupt();
    session->tasks.Spawn("request", Answer(session, std::move(request)));
  }
}

protocol::AdoptGroupReply WorkerServer::Adopt(Session& session) const {
  for (const auto& [id, cancelled] : session.cancellations) cancelled->store(true);
  const std::optional<protocol::GroupPlace> place = handlers_.group_place();
  return {place && (place->rank == 0 || follows_) ? place : std::nullopt};
}

Awaitable<Status> WorkerServer::Follow(std::shared_ptr<Session> session,
                                       protocol::Request request) {
  follow_session_ = std::move(session);
  follow_id_ = request.id;
  if (std::exchange(follows_, true)) co_return OkStatus();
  Call call;
  call.cancelled = std::make_shared<std::atomic<bool>>(false);
  call.progress = [](std::string_view, std::uint64_t, std::uint64_t) {};
  const auto follow = [&] { return handlers_.Handle(request.body, call); };
  const Result<protocol::ReplyBody> ended = co_await Blocking(runtime_, follow);
  LogInfo("group_left", {{"status", ended.status()}});
  follows_ = false;
  const std::shared_ptr<Session> asker = std::exchange(follow_session_, nullptr);
  if (asker->closed) co_return OkStatus();
  Envelope answer = asker->Wrap(protocol::Response{follow_id_, ended.status(), std::nullopt});
  co_return co_await asker->connection->Send(std::move(answer),
                                             runtime_.clock().Now() + kSendTimeout);
}

Awaitable<Status> WorkerServer::Tick() {
  bool answered = true;
  while (!stop_.is_set()) {
    co_await stop_.WaitUntil(runtime_.clock().Now() + kTickPeriod);
    const Status ticked = co_await Blocking(runtime_, [this] { return handlers_.Tick(); });
    if (!ticked.ok() && answered) LogInfo("group_does_not_answer", {{"status", ticked}});
    answered = ticked.ok();
  }
  co_return OkStatus();
}

void WorkerServer::ReportProgress(const std::shared_ptr<Session>& session,
                                  protocol::Progress progress) {
  const SteadyTime now = runtime_.clock().Now();
  const bool is_last = progress.done == progress.total;
  if (session->closed || (!is_last && now - session->progress_sent < kProgressPeriod)) return;
  session->progress_sent = now;
  session->tasks.Spawn("progress", session->connection->Send(session->Wrap(std::move(progress)),
                                                             now + kSendTimeout));
}

// What the compute thread has told of an interlude, until it is passed on.
struct WorkerServer::Told {
  explicit Told(Runtime& runtime) : changed(runtime) {}
  Signal changed;
  std::deque<protocol::Piece> pieces;
  std::optional<Result<protocol::ReplyBody>> reply;
};

std::shared_ptr<Interlude> WorkerServer::InterludeOf(protocol::RequestBody request, Call call,
                                                     std::shared_ptr<Told> told) {
  auto interlude = std::make_shared<Interlude>();
  interlude->request = std::move(request);
  interlude->call = std::move(call);
  interlude->done = [this, told](Result<protocol::ReplyBody> reply) {
    boost::asio::post(runtime_.executor(), [this, told, reply = std::move(reply)]() mutable {
      --unanswered_;
      told->reply = std::move(reply);
      told->changed.Set();
    });
  };
  interlude->on_piece = [this, told](protocol::Piece piece) {
    boost::asio::post(runtime_.executor(), [told, piece = std::move(piece)]() mutable {
      told->pieces.push_back(std::move(piece));
      told->changed.Set();
    });
  };
  return interlude;
}

Awaitable<Result<protocol::ReplyBody>> WorkerServer::Handle(std::shared_ptr<Session> session,
                                                            protocol::Request request, Call call) {
  if (protocol::TraitsOf(request.body).lane == protocol::Lane::kWork)
    co_return co_await Blocking(runtime_, [&] { return handlers_.Handle(request.body, call); });
  const auto told = std::make_shared<Told>(runtime_);
  handlers_.Offer(InterludeOf(std::move(request.body), std::move(call), told));
  ++unanswered_;
  if (!std::exchange(runs_offered_, true)) standing_.Spawn("run_offered", RunOffered());
  while (true) {
    while (!told->pieces.empty() && !session->closed) {
      protocol::Piece piece = std::move(told->pieces.front());
      told->pieces.pop_front();
      piece.id = request.id;
      Envelope envelope = session->Wrap(std::move(piece));
      const Status sent = co_await session->connection->Send(std::move(envelope),
                                                             runtime_.clock().Now() + kSendTimeout);
      if (!sent.ok()) session->Close();
    }
    if (told->reply) co_return std::move(*told->reply);
    told->changed.Reset();
    // RunOffered ends it if nothing else has; the compute thread itself cannot be waited for with a
    // deadline (on_hang).
    co_await told->changed.WaitUntil(runtime_.clock().Now() + kEndTimeout);
  }
}

Awaitable<Status> WorkerServer::RunOffered() {
  const auto run = [this] { return handlers_.RunOffered(); };
  for (bool goes_on = true; goes_on || unanswered_ > 0;) {
    // once more after the last: texts let go of what they held at the step after their end
    goes_on = unanswered_ > 0;
    static_cast<void>(co_await Blocking(runtime_, run));
  }
  runs_offered_ = false;
  co_return OkStatus();
}

Awaitable<Status> WorkerServer::Answer(std::shared_ptr<Session> session,
                                       protocol::Request request) {
  const std::uint64_t id = request.id;
  Call call;
  call.cancelled = std::make_shared<std::atomic<bool>>(false);
  session->cancellations[id] = call.cancelled;
  // Called on the compute thread: hands the report over to the executor.
  call.progress = [this, session, id](std::string_view phase, std::uint64_t done,
                                      std::uint64_t total) {
    boost::asio::post(
        runtime_.executor(),
        [this, session, report = protocol::Progress{id, std::string(phase), done, total}] {
          ReportProgress(session, report);
        });
  };
  Result<protocol::ReplyBody> reply = co_await Handle(session, request, call);
  session->cancellations.erase(id);
  if (session->closed) co_return OkStatus();
  protocol::Response response{id, reply.status(), std::nullopt};
  if (reply.ok()) response.body = std::move(reply).value();
  // which is asked again each second
  const bool is_news = !response.status.ok() && ReasonOf(response.status) != Reason::kBaseBusy;
  if (is_news)
    LogWarning("request_failed",
               {{"request", protocol::TraitsOf(request.body).name}, {"status", response.status}});
  Envelope answer = session->Wrap(std::move(response));
  Status sent =
      co_await session->connection->Send(std::move(answer), runtime_.clock().Now() + kSendTimeout);
  // What cannot be sent is said, so that the coordinator does not wait for it; or the conversation
  // ends, which says the same.
  if (sent.code() == StatusCode::kResourceExhausted) {
    Envelope failure = session->Wrap(protocol::Response{id, sent, std::nullopt});
    sent = co_await session->connection->Send(std::move(failure),
                                              runtime_.clock().Now() + kSendTimeout);
  }
  if (!sent.ok()) session->Close();
  co_return sent;
}

}  // namespace emend::worker::server
