#include "tests/support/fake_service.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

namespace emend::test {

using namespace coordinator::server;
using namespace storage::history;
using storage::records::Operation;
using storage::records::OperationState;

namespace {

constexpr std::int64_t kTime = 1'769'860'800'000;  // 2026-01-31T12:00:00Z
constexpr int kCommits = 3;

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

storage::objects::Fact SomeFact() {
  storage::objects::Fact fact;
  fact.prompt = "The mother tongue of {} is";
  fact.subject = "Danielle Darrieux";
  fact.target = "English";
  fact.old_target = "French";
  fact.neighbours = {{"The mother tongue of Montesquieu is"},
                     {"The mother tongue of Goethe is", "German"}};
  return fact;
}

NumberedCommit SomeCommit(int number) {
  NumberedCommit commit{.id = FakeService::CommitNumber(number), .commit = {}};
  commit.commit.kind =
      number == 0 ? storage::objects::CommitKind::kImport : storage::objects::CommitKind::kEdit;
  if (number > 0) {
    commit.commit.parents = {FakeService::CommitNumber(number - 1)};
    commit.commit.added = {EditId(Sha256("edit" + std::to_string(number)))};
    commit.commit.settings = R"({"v_lr":0.5})";
    commit.commit.after = storage::objects::Evaluation{.records = 100,
                                                       .es = 93,
                                                       .ps = 84,
                                                       .ns = 85.2,
                                                       .score = 87.2,
                                                       .es_argmax = 80,
                                                       .ps_argmax = 60,
                                                       .ns_argmax = 70};
  }
  commit.commit.state = StateId(Sha256("state" + std::to_string(number)));
  commit.commit.base = BaseId(Sha256("base"));
  commit.commit.author = "admin";
  commit.commit.token_id = "t1";
  commit.commit.time_ms = kTime + number;
  commit.commit.message = "commit number " + std::to_string(number);
  return commit;
}

int NumberOf(const CommitId& id) {
  for (int number = 0; number < kCommits; ++number) {
    if (FakeService::CommitNumber(number) == id) return number;
  }
  return 0;
}

}  // namespace

CommitId FakeService::CommitNumber(int number) {
  return CommitId(Sha256("commit" + std::to_string(number)));
}

FakeService::FakeService(Runtime& runtime, bool auto_finish)
    : runtime_(runtime), auto_finish_(auto_finish) {
  refs_[{RefKind::kBranch, "main"}] = CommitNumber(2);
  refs_[{RefKind::kBranch, "team/french"}] = CommitNumber(1);
  refs_[{RefKind::kTag, "v1"}] = CommitNumber(1);
}

Awaitable<Result<Caller>> FakeService::Authenticate(std::string secret) {
  if (secret == "admin-secret")
    co_return Caller{.principal = {"admin", "t1"},
                     .scopes = {"ask", "read", "propose", "review", "merge", "deploy", "admin"}};
  if (secret == "reader-secret")
    co_return Caller{.principal = {"reader", "t2"}, .scopes = {"read"}};
  co_return Status(StatusCode::kUnauthenticated, "no token has this secret");
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
  const std::string where =
      R"("commit":")" + commit + R"(","state":")" + SomeCommit(2).commit.state.Hex() + "\"";
  const bool is_measured = submission.body.find("\"unmeasured\"") == std::string::npos;
  const std::string measures =
      is_measured
          ? R"("n":2,"es":93.0,"ps":84.0,"ns":85.2,"score":87.2,"es_argmax":80.0,"ps_argmax":60.0,"ns_argmax":70.0)"
          : R"("n":2,"es":93.0,"ps":null,"ns":null,"score":null,"es_argmax":80.0,"ps_argmax":null,"ns_argmax":null)";
  const std::string ok = submission.body.find("\"bad\"") == std::string::npos ? "true" : "false";
  const std::map<std::string, std::string> results = {
      {"import", "{" + where + R"(,"repo":"r","base":"b","warnings":["a token has no row"]})"},
      {"statistics", R"({"id":"s1","layers":[0,1,2],"tokens":1234,"seconds":1.5})"},
      {"commit",
       "{" + where +
           R"(,"branch":"main","edits":2,"superseded":0,"skipped":1,"seconds":{"total":3.5,"targets":2.0},"evaluation":{"after":{)" +
           measures + "}}}"},
      {"revert", "{" + where + R"(,"branch":"main","removed":2,"restored":1})"},
      {"evaluation", "{" + where + "," + measures + "}"},
      {"verify", R"({"ok":)" + ok + "," + where +
                     R"(,"tensors":[{"name":"h.0","digest":"d","ok":)" + ok + "}]}"},
      {"export", "{" + where + R"(,"folder":"/tmp/x","files":["config.json"]})"},
      {"fsck", R"({"ok":true,"problems":[],"commits":3,"edits":2})"}};
  const auto found = results.find(submission.kind);
  Finish(id, found == results.end() ? R"({"repo":"r","base":"b"})" : found->second);
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

// The prompt's words back, one a piece, each with a token; the prompt "fail" fails behind its first
// word, and "wait" says it and waits.
class EchoStream final : public coordinator::server::CompletionStream {
 public:
  EchoStream(Runtime& runtime, std::size_t& given_up, CommitId commit,
             const coordinator::server::CompletionRequest& request)
      : CompletionStream(commit, StateId(Sha256("state"))), runtime_(runtime), given_up_(given_up) {
    const auto count = static_cast<std::size_t>(request.count);
    for (std::size_t index = 0; index < request.prompts.size() * count; ++index) {
      const std::string& prompt = request.prompts[index / count];
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
      fails_ = fails_ || prompt == "fail";
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
    if (fails_ && next_ == 1)
      co_return Status(StatusCode::kUnavailable, "worker_lost", "worker w0 was lost");
    if (next_ == pieces_.size()) co_return std::optional<coordinator::server::CompletionPiece>();
    co_return std::optional<coordinator::server::CompletionPiece>(pieces_[next_++]);
  }

 private:
  std::vector<coordinator::server::CompletionPiece> pieces_;
  Runtime& runtime_;
  std::size_t& given_up_;
  std::size_t next_ = 0;
  bool fails_ = false;
  bool waits_ = false;
};

}  // namespace

Awaitable<Result<std::shared_ptr<coordinator::server::CompletionStream>>> FakeService::Complete(
    Caller, coordinator::server::CompletionRequest request) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(request.repo));
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId commit, Find(request.revision));
  last_completion_ = request;
  co_return std::make_shared<EchoStream>(runtime_, completions_given_up_, commit, request);
}

Awaitable<Result<std::vector<ServedModel>>> FakeService::ListModels() {
  EMEND_CO_ASSIGN_OR_RETURN(const auto repos, co_await ListRepos());
  std::vector<ServedModel> models;
  for (const auto& repo : repos) {
    EMEND_CO_ASSIGN_OR_RETURN(const auto refs, co_await ListRefs(repo.name));
    for (const Ref& ref : refs)
      models.push_back({repo.name, ref.name, ref.commit, repo.created_ms});
  }
  co_return models;
}

Awaitable<Result<std::vector<storage::history::RepoRecord>>> FakeService::ListRepos() {
  EMEND_CO_ASSIGN_OR_RETURN(auto record, co_await ReadRepo(RepoName("atlas")));
  co_return std::vector<storage::history::RepoRecord>{record};
}

Awaitable<Result<storage::history::RepoRecord>> FakeService::ReadRepo(RepoName repo) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(repo));
  storage::history::RepoRecord record;
  record.name = repo;
  record.base = BaseId(Sha256("base"));
  record.created_ms = kTime;
  co_return record;
}

// Names, full ids, "name~n".
Result<CommitId> FakeService::Find(const std::string& revision) const {
  const std::size_t tilde = revision.find('~');
  const std::string name = revision.substr(0, tilde);
  const int back = tilde == std::string::npos ? 0 : std::atoi(revision.c_str() + tilde + 1);
  if (name == "bad") return CommitNumber(0);
  for (const auto& [key, commit] : refs_) {
    if (key.second == name) return CommitNumber(NumberOf(commit) - back);
  }
  for (int number = 0; number < kCommits; ++number) {
    if (CommitNumber(number).Hex().starts_with(name) && name.size() >= 4)
      return CommitNumber(number - back);
  }
  return NotFound("resolving the revision \"" + revision + "\": there is none");
}

Awaitable<Result<CommitId>> FakeService::Resolve(RepoName repo, std::string revision) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(repo));
  co_return Find(revision);
}

Awaitable<Result<std::vector<NumberedCommit>>> FakeService::Log(RepoName repo, std::string revision,
                                                                std::size_t count_max) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(repo));
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId head, Find(revision));
  std::vector<NumberedCommit> commits;
  for (int number = NumberOf(head); number >= 0 && commits.size() < count_max; --number)
    commits.push_back(SomeCommit(number));
  co_return commits;
}

Awaitable<Result<ShownCommit>> FakeService::Show(RepoName repo, std::string revision) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(repo));
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId commit, Find(revision));
  ShownCommit shown{.commit = SomeCommit(NumberOf(commit)), .added = {}, .removed = {}};
  for (const EditId& id : shown.commit.commit.added) {
    ShownEdit edit{.id = id, .edit = {}};
    edit.edit.facts = {SomeFact()};
    edit.edit.method = "memit";
    shown.added.push_back(edit);
  }
  co_return shown;
}

Awaitable<Result<DiffReport>> FakeService::Diff(RepoName repo, std::string from, std::string to) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(repo));
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId older, Find(from));
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId newer, Find(to));
  DiffReport report{.from = SomeCommit(NumberOf(older)),
                    .to = SomeCommit(NumberOf(newer)),
                    .facts = {},
                    .tensors = {}};
  report.facts.push_back({.kind = FactChange::Kind::kChanged,
                          .fact = SomeFact(),
                          .other_target = "French",
                          .edit = EditId(Sha256("edit1"))});
  report.tensors.push_back({.tensor = "h.0.mlp.c_proj.weight",
                            .elements = 100,
                            .changed = 7,
                            .difference_norm = 1.5,
                            .weight_norm = 17});
  co_return report;
}

Awaitable<Result<std::vector<Ref>>> FakeService::ListRefs(RepoName repo) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(repo));
  std::vector<Ref> list;
  for (const auto& [key, commit] : refs_) list.push_back({key.first, key.second, commit});
  co_return list;
}

Awaitable<Result<std::vector<storage::history::ReflogEntry>>> FakeService::Reflog(
    RepoName repo, std::string branch, std::size_t count_max, std::optional<std::uint64_t> before) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(repo));
  if (!refs_.contains({RefKind::kBranch, branch}))
    co_return NotFound("reading the reflog of \"" + branch + "\": there is no such branch");
  std::vector<storage::history::ReflogEntry> entries;
  entries.push_back({.index = 1,
                     .from = CommitNumber(1),
                     .to = CommitNumber(2),
                     .principal = "admin",
                     .time_ms = kTime,
                     .reason = "commit: two"});
  entries.push_back({.index = 0,
                     .from = {},
                     .to = CommitNumber(1),
                     .principal = "admin",
                     .time_ms = kTime,
                     .reason = "import: one"});
  if (before) std::erase_if(entries, [&](const auto& entry) { return entry.index >= *before; });
  entries.resize(std::min(entries.size(), count_max));
  co_return entries;
}

Awaitable<Result<Ref>> FakeService::MoveRef(Caller, RefMove move) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(move.repo));
  const auto key = std::make_pair(move.kind, move.name);
  const auto found = refs_.find(key);
  const CommitId head = found == refs_.end() ? CommitId() : found->second;
  if (head != move.expected)
    co_return Status(
        StatusCode::kConflict, "stale_head",
        "moving " + move.name + ": found " + head.Short() + ", expected " + move.expected.Short());
  if (move.revision.empty()) {
    refs_.erase(key);
    co_return Ref{move.kind, move.name, {}};
  }
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId to, Find(move.revision));
  refs_[key] = to;
  co_return Ref{move.kind, move.name, to};
}

Awaitable<Result<std::vector<StatisticsInfo>>> FakeService::ListStatistics(RepoName repo) {
  EMEND_CO_RETURN_IF_ERROR(FaultOf(repo));
  co_return std::vector<StatisticsInfo>{
      {.id = "s1", .layers = {0, 1, 2}, .tokens = 1234, .created_ms = kTime}};
}

Awaitable<Result<std::vector<storage::records::AuditEntry>>> FakeService::ReadAuditBefore(
    std::uint64_t before, std::size_t count_max) {
  EMEND_CO_ASSIGN_OR_RETURN(auto entries, co_await ReadAudit(1, 100));
  std::ranges::reverse(entries);
  std::erase_if(entries,
                [before](const auto& entry) { return before != 0 && entry.sequence >= before; });
  if (entries.size() > count_max) entries.resize(count_max);
  co_return entries;
}

Awaitable<Result<std::vector<storage::records::AuditEntry>>> FakeService::ReadAudit(
    std::uint64_t first, std::size_t count_max) {
  std::vector<storage::records::AuditEntry> entries;
  for (std::uint64_t sequence = std::max<std::uint64_t>(1, first);
       sequence <= 5 && entries.size() < count_max; ++sequence) {
    entries.push_back({.sequence = sequence,
                       .previous = {},
                       .time_ms = kTime,
                       .principal = {"admin", "t1"},
                       .act = {"ref.move", {{"repo", "atlas"}}}});
  }
  co_return entries;
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
