#include "tests/support/fake_worker.h"

#include <algorithm>
#include <utility>

#include "storage/base/digest.h"

namespace emend::test {
namespace {

using namespace std::chrono_literals;
using worker::protocol::Cancel;
using worker::protocol::Connection;
using worker::protocol::Envelope;
using worker::protocol::Heartbeat;
using worker::protocol::Hello;
using worker::protocol::Progress;
using worker::protocol::Refuse;
using worker::protocol::ReplyBody;
using worker::protocol::Request;
using worker::protocol::RequestBody;
using worker::protocol::Response;
using worker::protocol::SampleTextsReply;
using worker::protocol::Welcome;

constexpr auto kRedialPeriod = 100ms;
constexpr auto kPatience = 5s;

// Counts what is under way while it lives.
class Counted {
 public:
  explicit Counted(int& count) : count_(count) { ++count_; }
  ~Counted() { --count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  int& count_;
};

}  // namespace

FakeWorker::FakeWorker(Runtime& runtime, worker::protocol::Transport& transport,
                       FakeWorkerOptions options)
    : runtime_(runtime),
      transport_(transport),
      options_(std::move(options)),
      work_(options_.work),
      tasks_(runtime),
      stop_(runtime),
      group_lost_(runtime) {
  handler_ = [this](const RequestBody&) -> Result<ReplyBody> {
    return ReplyBody(SampleTextsReply{{options_.name}, 1, {}});
  };
}

FakeWorker::~FakeWorker() {
  EMEND_CHECK(tasks_.running() == 0, "a FakeWorker died before it was stopped");
}

void FakeWorker::Start() { tasks_.Spawn("fake_worker", Run()); }

Awaitable<void> FakeWorker::Stop() {
  stop_.Set();
  Die();
  const bool ended = co_await tasks_.Join(In(60s));
  EMEND_CHECK(ended, "a FakeWorker does not end");
}

void FakeWorker::Die() {
  LoseGroup();
  if (connection_) connection_->Close();
}

void FakeWorker::SetVoice(Voice voice) {
  if (std::exchange(voice_, voice) == Voice::kMute && voice == Voice::kHeard) Die();
}

void FakeWorker::Note(const std::string& what) const {
  if (options_.observer) options_.observer(options_.name + " " + what);
}

Awaitable<Status> FakeWorker::SendRaw(Envelope envelope) {
  co_return co_await connection_->Send(std::move(envelope), In(kPatience));
}

Awaitable<Status> FakeWorker::Run() {
  while (!stop_.is_set()) {
    auto dialled = co_await transport_.Dial(options_.coordinator, In(kPatience));
    if (dialled.ok()) {
      connection_ = *dialled;
      const Status ended = co_await Converse(*dialled);
      Note("ended: " + ended.ToString());
      connection_->Close();
      joined_ = false;
      if (!options_.redial) co_return OkStatus();
    }
    co_await stop_.WaitUntil(In(kRedialPeriod));
  }
  co_return OkStatus();
}

Awaitable<Status> FakeWorker::Converse(std::shared_ptr<Connection> connection) {
  Hello hello;
  hello.token = options_.token;
  hello.worker = WorkerId(options_.name);
  hello.group = options_.group;
  hello.rank = options_.rank;
  hello.world_size = options_.world_size;
  hello.device = "none";
  Envelope first{.store_epoch = 0, .generation = 0, .message = hello};
  EMEND_CO_RETURN_IF_ERROR(co_await connection->Send(std::move(first), In(kPatience)));
  EMEND_CO_ASSIGN_OR_RETURN(const Envelope answer, co_await connection->Receive(In(kPatience)));
  if (const auto* refuse = std::get_if<Refuse>(&answer.message)) refusal_ = *refuse;
  const auto* welcome = std::get_if<Welcome>(&answer.message);
  if (welcome == nullptr) co_return Unavailable("it was not welcomed");
  store_epoch_ = welcome->store_epoch;
  generation_ = welcome->generation;
  heartbeat_ = std::chrono::milliseconds(welcome->heartbeat_ms);
  base_.reset();       // the handler may have forgotten it
  cancelled_.clear();  // each connection numbers its requests from the beginning
  joined_ = true;
  ++joins_;
  Note("joined at generation " + std::to_string(generation_));
  tasks_.Spawn("fake_beat", Beat(connection));
  while (true) {
    EMEND_CO_ASSIGN_OR_RETURN(Envelope envelope, co_await connection->Receive(In(3 * heartbeat_)));
    generation_ = std::max(generation_, envelope.generation);
    if (auto* request = std::get_if<Request>(&envelope.message))
      tasks_.Spawn("fake_answer", Answer(connection, std::move(*request)));
    if (const auto* cancel = std::get_if<Cancel>(&envelope.message))
      cancelled_.push_back(cancel->id);
  }
}

Awaitable<Status> FakeWorker::Beat(std::shared_ptr<Connection> connection) {
  while (connection == connection_) {
    Envelope beat = Wrap(Heartbeat{});
    if (voice_ == Voice::kHeard)
      EMEND_CO_RETURN_IF_ERROR(co_await connection->Send(std::move(beat), In(kPatience)));
    co_await stop_.WaitUntil(In(heartbeat_));
    if (stop_.is_set()) break;
  }
  co_return OkStatus();
}

void FakeWorker::LoseGroup() {
  place_.reset();
  group_lost_.Set();
  group_lost_.Reset();
}

Awaitable<Result<ReplyBody>> FakeWorker::Handle(const RequestBody& body) {
  if (std::holds_alternative<worker::protocol::OpenLine>(body)) {
    LoseGroup();
    co_return ReplyBody(worker::protocol::OpenLineReply{options_.name + ":7"});
  }
  if (std::holds_alternative<worker::protocol::AdoptGroup>(body))
    co_return ReplyBody(worker::protocol::AdoptGroupReply{place_});
  if (const auto* join = std::get_if<worker::protocol::JoinGroup>(&body)) {
    place_ = {Sha256(join->secret), join->rank, static_cast<std::int32_t>(join->addresses.size())};
    co_return ReplyBody(worker::protocol::JoinGroupReply{});
  }
  if (!std::holds_alternative<worker::protocol::Follow>(body)) co_return AskHandler(body);
  if (place_) co_await group_lost_.WaitUntil(In(24h));
  co_return Status(StatusCode::kUnavailable, "group_lost", "the other ranks are gone");
}

std::optional<worker::protocol::HeldBase> FakeWorker::Held() const {
  using worker::protocol::BaseUse;
  if (!base_) return std::nullopt;
  if (works_ > 0) return worker::protocol::HeldBase{*base_, BaseUse::kWork};
  return worker::protocol::HeldBase{*base_, texts_ > 0 ? BaseUse::kTexts : BaseUse::kNone};
}

Result<ReplyBody> FakeWorker::AskHandler(const RequestBody& body) {
  EMEND_RETURN_IF_ERROR(turns_.Admit(body, Held(), runtime_.clock().Now()));
  Result<ReplyBody> reply = handler_(body);
  if (const auto* load = std::get_if<worker::protocol::LoadBase>(&body))
    base_ = reply.ok() ? std::optional<BaseId>(load->base) : std::nullopt;
  if (reply.ok()) turns_.Done(body, runtime_.clock().Now());
  return reply;
}

Awaitable<Result<ReplyBody>> FakeWorker::Complete(std::shared_ptr<Connection> connection,
                                                  std::uint64_t id,
                                                  worker::protocol::Complete request) {
  EMEND_CO_ASSIGN_OR_RETURN(const ReplyBody said, AskHandler(request));
  const Counted counted(texts_);
  const std::string word = " " + std::get<SampleTextsReply>(said).texts.at(0);
  for (std::int32_t step = 0; step < request.tokens_max; ++step) {
    co_await stop_.WaitUntil(In(work_));
    const bool cancelled = std::ranges::find(cancelled_, id) != cancelled_.end();
    if (cancelled || stop_.is_set())
      co_return Status(StatusCode::kCancelled, "the coordinator cancelled the request");
    Envelope piece = Wrap(worker::protocol::Piece{id, request.state, word, {}});
    if (voice_ == Voice::kHeard)
      EMEND_CO_RETURN_IF_ERROR(co_await connection->Send(std::move(piece), In(kPatience)));
  }
  co_return ReplyBody(
      worker::protocol::CompleteReply{true, 1, static_cast<std::uint64_t>(request.tokens_max)});
}

Awaitable<Result<ReplyBody>> FakeWorker::Work(RequestBody body) {
  const bool comes_in_between =
      works_ > 0 && worker::protocol::TraitsOf(body).lane != worker::protocol::Lane::kWork;
  if (comes_in_between && report_ > 0ms) co_await stop_.WaitUntil(In(report_));
  EMEND_CO_RETURN_IF_ERROR(turns_.Admit(body, Held(), runtime_.clock().Now()));
  int others = 0;
  const Counted counted(
      worker::protocol::TraitsOf(body).lane == worker::protocol::Lane::kWork ? works_ : others);
  const auto found = work_of_.find(std::string(worker::protocol::TraitsOf(body).name));
  co_await stop_.WaitUntil(In(found == work_of_.end() ? work_ : found->second));
  co_return co_await Handle(body);
}

Awaitable<Status> FakeWorker::Answer(std::shared_ptr<Connection> connection, Request request) {
  const std::string name(worker::protocol::TraitsOf(request.body).name);
  requests_.push_back(name);
  last_request_ = request.id;
  Note("received " + name + " " + std::to_string(request.id));
  Envelope progress = Wrap(Progress{request.id, "work", 1, 2});
  if (voice_ == Voice::kHeard)
    EMEND_CO_RETURN_IF_ERROR(co_await connection->Send(std::move(progress), In(kPatience)));
  Result<ReplyBody> reply = Internal("no reply");
  if (auto* text = std::get_if<worker::protocol::Complete>(&request.body)) {
    reply = co_await Complete(connection, request.id, std::move(*text));
  } else {
    reply = co_await Work(std::move(request.body));
  }
  Response response{.id = request.id, .status = reply.status(), .body = std::nullopt};
  if (reply.ok()) response.body = std::move(*reply);
  Envelope answer = Wrap(std::move(response));
  if (voice_ == Voice::kMute) co_return OkStatus();
  co_return co_await connection->Send(std::move(answer), In(kPatience));
}

}  // namespace emend::test
