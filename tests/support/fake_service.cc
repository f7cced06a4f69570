#include "tests/support/fake_service.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "coordinator/store/refs.h"
#include "coordinator/store/tokens.h"
#include "storage/history/ref_records.h"

namespace emend::test {

using namespace coordinator::server;
using namespace storage::history;
using storage::records::Operation;
using storage::records::OperationState;

namespace {

constexpr std::int64_t kTime = FakeHistory::kTime;

Status FaultOf(const RepoName& repo) {
  static const std::map<std::string, StatusCode> kFaults = {
      {"gone", StatusCode::kNotFound},          {"taken", StatusCode::kAlreadyExists},
      {"clash", StatusCode::kConflict},         {"rule", StatusCode::kFailedPrecondition},
      {"full", StatusCode::kResourceExhausted}, {"nowhere", StatusCode::kUnavailable},
      {"rotten", StatusCode::kDataLoss},        {"bug", StatusCode::kInternal},
      {"odd", StatusCode::kUnsupported}};
  if (repo.value() == "thrown") throw std::runtime_error("a handler's exception");
  const auto found = kFaults.find(repo.value());
  if (found != kFaults.end())
    return {found->second, "the repo " + repo.value() + " fails like this"};
  if (repo.value() == "atlas" || repo.value().empty()) return OkStatus();
  return NotFound("opening repo " + repo.value() + ": there is none; found atlas");
}

// Fails whatever looks for the repo of a fault's name.
class FaultyStore final : public storage::kv::KvStore {
 public:
  explicit FaultyStore(storage::kv::KvStore& store) : store_(store) {}
  Result<std::optional<std::string>> Get(storage::kv::ColumnFamily family,
                                         std::string_view key) override {
    if (key.starts_with(kRepoKeyPrefix)) {
      const Status fault = FaultOf(RepoName(std::string(key.substr(kRepoKeyPrefix.size()))));
      if (!fault.ok() && fault.code() != StatusCode::kNotFound) return fault;
    }
    return store_.Get(family, key);
  }
  Status Scan(storage::kv::ColumnFamily family, std::string_view prefix, std::string_view start,
              const storage::kv::ScanVisitor& visit) override {
    return store_.Scan(family, prefix, start, visit);
  }
  Status Write(const storage::kv::WriteBatch& batch, storage::kv::Durability durability) override {
    return store_.Write(batch, durability);
  }
  Status VerifyChecksums() override { return store_.VerifyChecksums(); }

 private:
  storage::kv::KvStore& store_;
};

// After "commit" and "state": an answer that hangs on one of two edits, or on none where the prompt
// says "nobody".
std::string BlamedOf(const std::string& body, const std::string& commit) {
  const bool is_nobodys = body.find("nobody") != std::string::npos;
  const std::string with =
      is_nobodys ? R"("change":0.01,"matters":false)" : R"("change":6.9,"matters":true)";
  const std::string who =
      R"("commit":")" + commit +
      R"(","author":"ada","time":"2026-01-31T12:00:00.000Z","message":"Three facts\n\nmore",)";
  const std::string fact =
      R"("fact":{"prompt":"{} plays as","subject":"Ann","target":"goalkeeper"},"influence":0.5,)";
  return R"("prompt":"p","answer":" goalkeeper","log_probability":-0.10536,"log_probability_base":)" +
         std::string(is_nobodys ? "-0.2" : "-7.5") + R"(,"origin":")" +
         (is_nobodys ? "base" : "edits") + R"(","edits":[{"edit":"aaaaaaaaaaaaaaaa",)" + who +
         fact + R"("log_probability_without":-7.0,)" + with + R"(},{"edit":"bbbbbbbbbbbbbbbb",)" +
         who + fact + R"("log_probability_without":-0.1,"change":-0.00536,"matters":false}]})";
}

constexpr char kTuned[] = R"("n": 20, "before": {"n": 20, "es": 0}, "tries": [
    {"settings": {"layers": "0,1,2", "v_weight_decay": "0.5"}, "es": 95, "ps": 60, "ns": 80,
     "taken": 18, "kept": 70, "kl": 0.1, "perplexity_before": 30, "perplexity_after": 30.5,
     "mean": 77.25, "seconds": 12.5},
    {"settings": {"layers": "1,2,3", "v_weight_decay": "0.5"}, "es": 95, "ps": 80, "ns": 80,
     "taken": 19, "kept": 75, "kl": 0.1, "perplexity_before": 30, "perplexity_after": 31,
     "mean": 85.5, "seconds": 12.5}],
  "chosen": 2, "preset": {"layers": "1,2,3", "v_weight_decay": "0.5"},
  "layers_left_out": [[2, 3], [3]])";

}  // namespace

CommitId FakeService::CommitNumber(int number) {
  static const FakeHistory history;
  return history.commits().at(static_cast<std::size_t>(number));
}

FakeService::FakeService(Runtime& runtime, bool auto_finish)
    : runtime_(runtime),
      auto_finish_(auto_finish),
      store_(std::make_unique<FaultyStore>(history_.store())),
      journal_(history_.NewJournal(*store_)) {}

FakeService::~FakeService() = default;

Repository FakeService::repo() { return Repository::Open(*store_, RepoName("atlas")).value(); }

Awaitable<Result<Caller>> FakeService::Authenticate(std::string secret) {
  co_return coordinator::store::Authenticate(*store_, secret);
}

void FakeService::Touch(Running& running) {
  ++running.view.version;
  running.changed->Set();
  running.changed->Reset();
}

void FakeService::Progress(const OperationId& id, std::string phase, std::uint64_t done,
                           std::uint64_t total) {
  Running& running = operations_.at(id);
  running.view.operation.state = OperationState::kRunning;
  running.view.position.reset();
  running.view.progress = {
      .phase = std::move(phase), .done = done, .total = total, .eta_seconds = 1.5};
  Touch(running);
}

void FakeService::Finish(const OperationId& id, std::string result_json) {
  Running& running = operations_.at(id);
  running.view.position.reset();
  running.view.operation.state = OperationState::kSucceeded;
  running.view.operation.result = std::move(result_json);
  running.view.operation.finished_ms = kTime + 1000;
  Touch(running);
}

void FakeService::Fail(const OperationId& id, Status status) {
  Running& running = operations_.at(id);
  running.view.position.reset();
  running.view.operation.state = status.code() == StatusCode::kCancelled
                                     ? OperationState::kCancelled
                                     : OperationState::kFailed;
  running.view.operation.error_slug = status.slug();
  running.view.operation.error_message = status.message();
  running.view.operation.error_code = static_cast<std::uint8_t>(status.code());
  running.view.operation.finished_ms = kTime + 1000;
  Touch(running);
}

void FakeService::FinishByKind(const OperationId& id, const Submission& submission) {
  const std::string commit = CommitNumber(2).Hex();
  const std::string where = R"("commit":")" + commit + R"(","state":")" +
                            repo().ReadCommit(CommitNumber(2))->state.Hex() + "\"";
  const bool is_measured = submission.body.find("\"unmeasured\"") == std::string::npos;
  const std::string measures =
      is_measured
          ? R"("n":2,"es":93.0,"ps":84.0,"ns":85.2,"score":87.2,"es_argmax":80.0,"ps_argmax":60.0,"ns_argmax":70.0)"
          : R"("n":2,"es":93.0,"ps":null,"ns":null,"score":null,"es_argmax":80.0,"ps_argmax":null,"ns_argmax":null)";
  const std::string ok = submission.body.find("\"bad\"") == std::string::npos ? "true" : "false";
  const std::map<std::string, std::string> results = {
      {"import", "{" + where + R"(,"repo":"r","base":"b","warnings":["a token has no row"]})"},
      {"statistics", R"({"id":"s1","layers":[0,1,2],"tokens":1234,"seconds":1.5})"},
      {"tune", "{" + where + "," + kTuned + "}"},
      {"commit",
       "{" + where +
           R"(,"branch":"main","edits":2,"superseded":0,"skipped":1,"seconds":{"total":3.5,"targets":2.0},"evaluation":{"after":{)" +
           measures + "}}}"},
      {"revert", "{" + where + R"(,"branch":"main","removed":2,"restored":1})"},
      {"refit",
       "{" + where + R"(,"branch":"main","preview":true,"edits":2,"removed":3,"bytes":9})"},
      {"evaluation", "{" + where + "," + measures + "}"},
      {"blame", "{" + where + "," + BlamedOf(submission.body, commit)},
      {"verify", R"({"ok":)" + ok + "," + where +
                     R"(,"tensors":[{"name":"h.0","digest":"d","ok":)" + ok + "}]}"},
      {"export", "{" + where + R"(,"folder":"/tmp/x","files":["config.json"]})"},
      {"fsck", R"({"ok":true,"problems":[],"commits":3,"edits":2})"}};
  const auto found = results.find(submission.kind);
  Finish(id, found == results.end() ? R"({"repo":"r","base":"b"})" : found->second);
}

// As emendd does: a branch that a request names must be there.
Status FakeService::CheckBranch(const Submission& submission) {
  const auto body = nlohmann::json::parse(submission.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object() || !body.contains("branch") || !body["branch"].is_string())
    return OkStatus();
  return repo().ReadRef(RefKind::kBranch, body["branch"].get<std::string>()).status();
}

Awaitable<Result<OperationView>> FakeService::Submit(Caller caller, Submission submission) {
  last_submission_ = submission;
  EMEND_CO_RETURN_IF_ERROR(submission.kind == "import" && submission.repo.value() == "fresh"
                               ? OkStatus()
                               : FaultOf(submission.repo));
  EMEND_CO_RETURN_IF_ERROR(CheckBranch(submission));
  if (!submission.idempotency_key.empty() && keys_.contains(submission.idempotency_key)) {
    Running& running = operations_.at(keys_.at(submission.idempotency_key));
    if (running.fingerprint == submission.fingerprint) co_return running.view;
    co_return Status(StatusCode::kInvalidArgument, "idempotency_mismatch",
                     "the key was used with another request");
  }
  const std::string digits = std::to_string(operations_.size() + 1);
  const OperationId id("op-" + std::string(16 - digits.size(), '0') + digits);
  Running& running = operations_[id];
  running.view.operation.id = id;
  running.view.operation.kind = submission.kind;
  running.view.operation.repo = submission.repo.value();
  running.view.operation.principal = caller.principal;
  running.view.operation.accepted_ms = kTime;
  running.view.operation.priority = submission.priority;
  if (submission.timeout.count() > 0)
    running.view.operation.deadline_ms =
        kTime + std::chrono::milliseconds(submission.timeout).count();
  running.view.position = 0;
  running.view.version = 1;
  running.fingerprint = submission.fingerprint;
  running.changed = std::make_unique<Signal>(runtime_);
  if (!submission.idempotency_key.empty()) keys_[submission.idempotency_key] = id;
  const bool is_endless = submission.body.find("\"endless\"") != std::string::npos;
  if (auto_finish_ && !is_endless) FinishByKind(id, submission);
  co_return running.view;
}

Awaitable<Result<OperationView>> FakeService::ReadOperation(OperationId id) {
  const auto found = operations_.find(id);
  if (found == operations_.end())
    co_return NotFound("reading the operation " + id.value() + ": there is none");
  co_return found->second.view;
}

Awaitable<Result<std::vector<OperationView>>> FakeService::ListOperations(OperationId before,
                                                                          std::size_t count_max) {
  std::vector<OperationView> list;
  for (auto at = before.value().empty() ? operations_.end() : operations_.lower_bound(before);
       at != operations_.begin() && list.size() < count_max;) {
    list.push_back((--at)->second.view);
  }
  co_return list;
}

Awaitable<Result<OperationView>> FakeService::WaitForChange(OperationId id, std::uint64_t version,
                                                            SteadyTime deadline) {
  Running& running = operations_.at(id);
  if (running.view.version <= version) co_await running.changed->WaitUntil(deadline);
  co_return running.view;
}

Awaitable<Result<OperationView>> FakeService::Cancel(Caller, OperationId id) {
  const auto found = operations_.find(id);
  if (found == operations_.end())
    co_return NotFound("cancelling the operation " + id.value() + ": there is none");
  if (found->second.view.operation.finished_ms != 0)
    co_return Status(StatusCode::kFailedPrecondition, "operation_ended", "it has ended");
  Fail(id, {StatusCode::kCancelled, "cancelled by its owner"});
  co_return found->second.view;
}

namespace {

// The prompt's words back, or the last message's, one a piece, each with a token; "fail" and
// "refuse" fail behind their first word, and "wait" says it and waits.
class EchoStream final : public coordinator::server::CompletionStream {
 public:
  EchoStream(Runtime& runtime, std::size_t& given_up, CommitId commit,
             const coordinator::server::CompletionRequest& request)
      : CompletionStream(commit, StateId(Sha256("state"))), runtime_(runtime), given_up_(given_up) {
    const auto count = static_cast<std::size_t>(request.count);
    for (std::size_t index = 0; index < request.prompts.size() * count; ++index) {
      const auto& messages = request.text.messages;
      const std::string& prompt =
          messages.empty() ? request.prompts[index / count].text : messages.back().content;
      std::istringstream words(prompt);
      std::string word;
      std::uint64_t tokens = 0, begin = 0;
      for (; words >> word && tokens < static_cast<std::uint64_t>(request.text.tokens_max);
           ++tokens) {
        std::vector<worker::protocol::PieceToken> named;
        if (request.text.top >= 0) named.push_back({" " + word, -0.5, begin, {{" " + word, 0.75}}});
        begin += word.size() + 1;
        pieces_.push_back(
            {.index = index, .text = " " + word, .tokens = std::move(named), .end = std::nullopt});
      }
      const bool is_cut = tokens == static_cast<std::uint64_t>(request.text.tokens_max);
      pieces_.push_back({.index = index,
                         .text = "",
                         .tokens = {},
                         .end = worker::protocol::CompleteReply{is_cut, 3, tokens}});
      if (prompt == "fail")
        failure_ = {StatusCode::kUnavailable, "worker_lost", "worker w0 was lost"};
      if (prompt == "refuse")
        failure_ = {StatusCode::kInvalidArgument, "refused_by_chat_template", "no such talk"};
      waits_ = waits_ || prompt == "wait";
    }
  }
  Awaitable<Result<std::optional<coordinator::server::CompletionPiece>>> Next(
      std::function<bool()> is_wanted) override {
    if (waits_ && next_ == 1) {
      while (is_wanted()) co_await Sleep(runtime_, std::chrono::milliseconds(10));
      ++given_up_;
      co_return Status(StatusCode::kCancelled, "nobody waits for it any more");
    }
    if (!failure_.ok() && next_ == 1) co_return failure_;
    if (next_ == pieces_.size()) co_return std::optional<coordinator::server::CompletionPiece>();
    co_return std::optional<coordinator::server::CompletionPiece>(pieces_[next_++]);
  }

 private:
  std::vector<coordinator::server::CompletionPiece> pieces_;
  Runtime& runtime_;
  std::size_t& given_up_;
  std::size_t next_ = 0;
  Status failure_;
  bool waits_ = false;
};

}  // namespace

Awaitable<Result<std::shared_ptr<coordinator::server::CompletionStream>>> FakeService::Complete(
    Caller, coordinator::server::CompletionRequest request) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(request.repo));
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId commit, repo().Resolve(request.revision));
  last_completion_ = request;
  co_return std::make_shared<EchoStream>(runtime_, completions_given_up_, commit, request);
}

Awaitable<Result<std::vector<ServedModel>>> FakeService::ListModels() {
  co_return coordinator::store::ListModels(*store_);
}

Awaitable<Result<DiffReport>> FakeService::Diff(RepoName repo, std::string from, std::string to) {
  EMEND_CO_ASSIGN_OR_RETURN(const Repository opened, Repository::Open(*store_, repo));
  DiffReport report;
  for (const auto& [revision, commit] : {std::pair(from, &report.from), {to, &report.to}}) {
    EMEND_CO_ASSIGN_OR_RETURN(commit->id, opened.Resolve(revision));
    EMEND_CO_ASSIGN_OR_RETURN(commit->commit, opened.ReadCommit(commit->id));
  }
  report.facts.push_back({.kind = FactChange::Kind::kChanged,
                          .fact = FakeHistory::SomeFact(),
                          .other_target = "French",
                          .edit = EditId(Sha256("edit1"))});
  report.tensors.push_back({.tensor = "h.0.mlp.c_proj.weight",
                            .elements = 100,
                            .changed = 7,
                            .difference_norm = 1.5,
                            .weight_norm = 17});
  co_return report;
}

Awaitable<Result<Diagnosis>> FakeService::Diagnose(Caller) {
  Diagnosis diagnosis{
      .groups = {{"g0", {}}}, .advice = {}, .disk_free_bytes = std::uint64_t{5} << 30};
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    worker::protocol::ProbedRank probed;
    probed.rank = rank;
    probed.host_name = "machine";
    probed.address = "127.0.0.1";
    probed.device = "cpu";
    diagnosis.groups[0].probe.ranks.push_back(probed);
  }
  diagnosis.groups[0].probe.links = {{0, 1, true, "", 75.5, 3.5}};
  diagnosis.groups[0].probe.advice = {
      {"warning", "slow_link", "ranks 0 and 1 move 0.1 GB/s", "1 GB/s", "use another network"}};
  co_return diagnosis;
}

std::vector<coordinator::membership::WorkerInfo> FakeService::Workers() const {
  coordinator::membership::WorkerInfo worker;
  worker.worker = WorkerId("w0");
  worker.group = "g0";
  worker.device = "cpu";
  worker.memory = {.weights_bytes = 3 << 20,
                   .states_bytes = 1 << 19,
                   .statistics_bytes = 4096,
                   .cache_bytes = 0,
                   .file_bytes_read = 2 << 20};
  return {worker};
}

}  // namespace emend::test
