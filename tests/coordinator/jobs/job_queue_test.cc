// The queue with real jobs, workers without a model and virtual time: who runs beside whom, what is solved together, and how each operation ends.
#include "coordinator/jobs/job_queue.h"

#include <algorithm>

#include "storage/base/failpoint.h"
#include "storage/base/memory_file_system.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::jobs {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using server::OperationView;
using server::Submission;
using storage::records::Operation;
using storage::records::OperationState;
using storage::records::Priority;
using test::IsOk;
using test::SimCluster;
using test::StatusIs;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using worker::protocol::ReplyBody;
using worker::protocol::RequestBody;
using worker::protocol::Solve;

json Facts(const std::vector<std::string>& subjects, const std::string& target) {
  json facts = json::array();
  for (const std::string& subject : subjects) facts.push_back({{"prompt", "{} is"}, {"subject", subject}, {"target", target}});
  return facts;
}

json CommitBody(const std::vector<std::string>& subjects, const std::string& target, const std::string& branch = "main") {
  return {{"branch", branch}, {"facts", Facts(subjects, target)}, {"message", "about " + subjects.front()}, {"settings", {{"layers", "0,1"}}}};
}

// How an operation is submitted, if not as usual.
struct How {
  std::string by = "admin";
  Priority priority = Priority::kNormal;
  std::chrono::seconds timeout{0};
  RepoName repo = SimCluster::kRepo;
};

class JobQueueTest : public testing::Test {
 protected:
  struct Solved {
    std::size_t worker;
    std::vector<std::string> subjects;
  };

  void SetUp() override {
    for (std::size_t i = 0; i < cluster_.workers(); ++i) {
      cluster_.worker(i).worker->OnRequest([this, i](const RequestBody& request) { return Answer(i, request); });
    }
    ASSERT_EQ(cluster_.Run("import", cluster_.ImportBody()).state, OperationState::kSucceeded);
    ASSERT_EQ(cluster_.Run("statistics", cluster_.StatisticsBody()).state, OperationState::kSucceeded);
  }

  Result<ReplyBody> Answer(std::size_t worker, const RequestBody& request) {
    if (const auto* solve = std::get_if<Solve>(&request)) {
      Solved solved{worker, {}};
      for (const auto& fact : solve->facts) solved.subjects.push_back(fact.subject);
      solves_.push_back(solved);
      if (std::ranges::find(solved.subjects, "Bad") != solved.subjects.end()) return Status(StatusCode::kInvalidArgument, "token_straddles_target", "it does");
    }
    return cluster_.worker(worker).model.Answer(request);
  }

  Result<OperationView> Try(const std::string& kind, const json& body, const How& how = {}) {
    server::Caller caller = cluster_.admin();
    caller.principal.name = how.by;
    Submission submission{kind, how.repo, body.dump(), "", Sha256(body.dump()), how.priority, how.timeout};
    return *cluster_.sim().Await(cluster_.service().Submit(caller, std::move(submission)));
  }
  OperationId Submit(const std::string& kind, const json& body, const How& how = {}) {
    const Result<OperationView> accepted = Try(kind, body, how);
    EXPECT_THAT(accepted, IsOk());
    return accepted->operation.id;
  }
  OperationView View(const OperationId& id) { return **cluster_.sim().Await(cluster_.service().ReadOperation(id)); }
  OperationState State(const OperationId& id) { return View(id).operation.state; }
  bool HasEnded(const OperationId& id) { return View(id).operation.finished_ms != 0; }
  Operation Follow(const OperationId& id) {
    while (!HasEnded(id)) cluster_.sim().RunFor(100ms);
    return View(id).operation;
  }
  json ResultOf(const OperationId& id) {
    const Operation ended = Follow(id);
    EXPECT_EQ(ended.state, OperationState::kSucceeded) << ended.error_slug << ": " << ended.error_message;
    return ended.state == OperationState::kSucceeded ? json::parse(ended.result) : json::object();
  }
  Status Cancel(const OperationId& id) { return cluster_.sim().Await(cluster_.service().Cancel(cluster_.admin(), id))->status(); }
  void MakeBranch(const std::string& name) {
    server::RefMove move{SimCluster::kRepo, storage::history::RefKind::kBranch, name, {}, "main", ""};
    ASSERT_THAT(*cluster_.sim().Await(cluster_.service().MoveRef(cluster_.admin(), move)), IsOk());
  }
  // A branch with a commit of its own: its state is another than main's, so that it may have another worker.
  void Diverge(const std::string& name) {
    MakeBranch(name);
    ResultOf(Submit("commit", CommitBody({"root of " + name}, "own", name)));
  }
  std::vector<storage::history::NumberedCommit> Log(const std::string& revision = "main") {
    return **cluster_.sim().Await(cluster_.service().Log(SimCluster::kRepo, revision, 100));
  }
  std::vector<std::string> Messages(const std::string& revision = "main") {
    std::vector<std::string> messages;
    const auto log = Log(revision);
    for (const auto& entry : log) messages.push_back(entry.commit.message);
    return messages;
  }
  // How often its end was recorded.
  std::size_t Ends(const OperationId& id) {
    const auto entries = **cluster_.sim().Await(cluster_.service().ReadAudit(1, 1000));
    return static_cast<std::size_t>(std::ranges::count_if(entries, [&](const auto& entry) {
      const bool ends = entry.act.act == "operation.succeed" || entry.act.act == "operation.fail" || entry.act.act == "operation.cancel";
      return ends && std::ranges::any_of(entry.act.ids, [&](const auto& named) { return named.second == id.value(); });
    }));
  }
  void LoseAllWorkers() {
    for (std::size_t i = 0; i < cluster_.workers(); ++i) cluster_.network().Partition("w" + std::to_string(i));
    cluster_.sim().RunFor(5s);
  }
  void HealAllWorkers() {
    for (std::size_t i = 0; i < cluster_.workers(); ++i) cluster_.network().Heal("w" + std::to_string(i));
  }
  void ExpectStoreIsSound() {
    EXPECT_EQ(json::parse(cluster_.Run("fsck", json::object()).result)["ok"], true);
    EXPECT_EQ(json::parse(cluster_.Run("verify", {{"revision", "main"}}).result)["ok"], true);
  }
  std::vector<std::vector<std::string>> SolvedSubjects() const {
    std::vector<std::vector<std::string>> subjects;
    for (const Solved& solved : solves_) subjects.push_back(solved.subjects);
    return subjects;
  }

  SimCluster cluster_{1, 2};
  std::vector<Solved> solves_;
};

// ---- Several at once ----------------------------------------------------------------------------------------------------------------------------------------

TEST_F(JobQueueTest, TwoBranchesOfOneRepoAreSolvedAtOnceOnTwoWorkers) {
  MakeBranch("left");
  MakeBranch("right");
  const OperationId left = Submit("commit", CommitBody({"Ann"}, "chess", "left"));
  const OperationId right = Submit("commit", CommitBody({"Ann"}, "go", "right"));
  cluster_.sim().RunFor(300ms);
  EXPECT_EQ(State(left), OperationState::kRunning);
  EXPECT_EQ(State(right), OperationState::kRunning);
  ResultOf(left);
  ResultOf(right);
  ASSERT_EQ(solves_.size(), 2U);
  EXPECT_NE(solves_[0].worker, solves_[1].worker);
  EXPECT_THAT(Messages("left"), ElementsAre("about Ann", "Import a small model"));
}

TEST_F(JobQueueTest, ARevertOfAnotherBranchWaitsForNoSolve) {
  Diverge("left");
  Diverge("right");
  Diverge("third");
  const OperationId left = Submit("commit", CommitBody({"Ann"}, "chess", "left"));
  const OperationId right = Submit("commit", CommitBody({"Bob"}, "go", "right"));
  const OperationId queued = Submit("commit", CommitBody({"Cid"}, "whist", "third"));
  const OperationId reverted = Submit("revert", {{"branch", "third"}, {"commit", "right"}});
  const OperationId beside = Submit("revert", {{"branch", "main"}, {"commit", "main"}});
  cluster_.sim().RunFor(200ms);
  EXPECT_TRUE(HasEnded(beside)) << "an import cannot be reverted, and is told so at once";
  EXPECT_EQ(State(left), OperationState::kRunning);
  EXPECT_EQ(State(right), OperationState::kRunning);
  EXPECT_EQ(State(queued), OperationState::kAccepted) << "both workers are taken";
  EXPECT_EQ(State(reverted), OperationState::kAccepted) << "it is behind the commit on its branch";
  ResultOf(queued);
  EXPECT_EQ(Follow(reverted).error_slug, "nothing_to_revert");
}

TEST_F(JobQueueTest, TwoReposShareTheWorkersThoughOneCameFirstWithALot) {
  const std::string folder = cluster_.layout().model_roots.front() + "/other-model";
  ASSERT_THAT(test::WriteSmallModel(folder, 77), IsOk());
  const How other{.repo = RepoName("other")};
  ResultOf(Submit("import", {{"model", folder}}, other));
  ResultOf(Submit("statistics", cluster_.StatisticsBody(), other));
  std::vector<OperationId> many;
  for (int i = 0; i < 8; ++i) {
    MakeBranch("b" + std::to_string(i));
    many.push_back(Submit("commit", CommitBody({"Ann"}, "chess", "b" + std::to_string(i))));
  }
  std::vector<OperationId> few;
  // On one slot, so that they are not solved together.
  for (int i = 0; i < 3; ++i) few.push_back(Submit("commit", CommitBody({"Ann"}, "chess " + std::to_string(i)), other));
  for (const OperationId& id : few) ResultOf(id);
  const auto ended = std::ranges::count_if(many, [this](const OperationId& id) { return HasEnded(id); });
  EXPECT_LE(ended, 5) << "by turns: three of the latecomer, three of the first, and two that had begun";
  EXPECT_GE(ended, 2);
}

TEST_F(JobQueueTest, UrgentOnesPassAndPlacesSaySo) {
  Diverge("left");
  Diverge("right");
  const OperationId running = Submit("commit", CommitBody({"Ann"}, "chess", "left"));
  const OperationId also_running = Submit("commit", CommitBody({"Ann"}, "chess", "right"));
  const OperationId batch = Submit("evaluation", {{"revision", "main"}, {"facts", Facts({"Ann"}, "chess")}}, {.priority = Priority::kBatch});
  const OperationId normal = Submit("evaluation", {{"revision", "main"}, {"facts", Facts({"Ann"}, "chess")}});
  const OperationId urgent = Submit("evaluation", {{"revision", "main"}, {"facts", Facts({"Ann"}, "chess")}}, {.priority = Priority::kInteractive});
  EXPECT_EQ(View(urgent).position, 0U);
  EXPECT_EQ(View(normal).position, 1U);
  EXPECT_EQ(View(batch).position, 2U);
  EXPECT_EQ(View(running).position, std::nullopt);
  ResultOf(urgent);
  EXPECT_FALSE(HasEnded(batch));
  ResultOf(batch);
  EXPECT_TRUE(HasEnded(normal));
  EXPECT_TRUE(HasEnded(also_running));
}

// ---- Together -----------------------------------------------------------------------------------------------------------------------------------------------

TEST_F(JobQueueTest, LikeCommitsAreOneSolveAndStayCommitsOfTheirOwn) {
  const OperationId first = Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob", "Cid"}, "go"), {.by = "ada"});
  json repeated = CommitBody({"Dan"}, "whist");
  repeated["facts"].push_back(repeated["facts"][0]);
  const OperationId third = Submit("commit", repeated, {.by = "bob"});
  const OperationId held = Submit("commit", CommitBody({"Eve"}, "golf"));
  const json a = ResultOf(first);
  const json b = ResultOf(second);
  const json c = ResultOf(third);
  const json d = ResultOf(held);
  EXPECT_THAT(SolvedSubjects(), ElementsAre(ElementsAre("Ann"), ElementsAre("Bob", "Cid", "Dan", "Eve")));
  EXPECT_THAT(Messages(), ElementsAre("about Eve", "about Dan", "about Bob", "about Ann", "Import a small model"));

  const auto log = Log();
  EXPECT_EQ(log[0].id.Hex(), d["commit"]);
  EXPECT_EQ(log[1].id.Hex(), c["commit"]);
  EXPECT_EQ(log[2].id.Hex(), b["commit"]);
  EXPECT_EQ(log[1].commit.state.Hex(), c["state"]);
  EXPECT_EQ(log[1].commit.author, "bob");
  EXPECT_EQ(log[2].commit.author, "ada");
  EXPECT_EQ(log[1].commit.parents, std::vector<CommitId>{log[2].id});
  EXPECT_EQ(log[2].commit.added.size(), 2U);
  EXPECT_EQ(a["coalesced"], json::array());
  EXPECT_EQ(b["coalesced"], json::array({third.value(), held.value()}));
  EXPECT_EQ(c["coalesced"], json::array({second.value(), held.value()}));
  EXPECT_EQ(b["edits"], 2);
  EXPECT_EQ(c["edits"], 1);
  EXPECT_EQ(c["duplicates"], 1);
  EXPECT_EQ(b["evaluation"]["after"]["n"], 2) << "each is measured on its own facts";
  EXPECT_EQ(c["evaluation"]["before"]["n"], 1);
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, ReflogAndAuditSayWhoOfThoseTogetherDidWhat) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob"}, "go"), {.by = "ada"});
  const OperationId third = Submit("commit", CommitBody({"Cid"}, "whist"), {.by = "bob"});
  EXPECT_EQ(ResultOf(third)["coalesced"], json::array({second.value()}));
  const auto reflog = **cluster_.sim().Await(cluster_.service().Reflog(SimCluster::kRepo, "main", 2));
  EXPECT_EQ(reflog[0].principal, "bob");
  EXPECT_EQ(reflog[0].reason, "commit: about Cid");
  EXPECT_EQ(reflog[1].principal, "ada");
  std::vector<std::string> acts;
  const auto entries = **cluster_.sim().Await(cluster_.service().ReadAuditBefore(0, 4));
  for (const auto& entry : entries) acts.push_back(entry.principal.name + " " + entry.act.act);
  EXPECT_THAT(acts, ElementsAre("bob operation.succeed", "bob commit.create", "ada operation.succeed", "ada commit.create")) << "newest first, in one commit";
}

TEST_F(JobQueueTest, TogetherOrAloneTheHistoryHasTheSameShape) {
  const std::vector<json> bodies = {CommitBody({"Ann", "Bob"}, "chess"), CommitBody({"Cid"}, "go"), CommitBody({"Bob", "Dan"}, "whist"),
                                    CommitBody({"Cid", "Eve"}, "go"), CommitBody({"Ann"}, "chess")};
  const auto shape = [](const json& result) {
    return std::vector<std::size_t>{result["edits"], result["superseded"], result["skipped"], result["duplicates"], result["evaluation"].size()};
  };
  std::vector<std::vector<std::size_t>> alone;
  MakeBranch("alone");
  for (json body : bodies) {
    body["branch"] = "alone";
    alone.push_back(shape(ResultOf(Submit("commit", body))));
  }
  solves_.clear();
  std::vector<OperationId> ids;
  for (const json& body : bodies) ids.push_back(Submit("commit", body));
  std::vector<std::vector<std::size_t>> together;
  for (const OperationId& id : ids) together.push_back(shape(ResultOf(id)));
  EXPECT_EQ(together, alone);
  EXPECT_THAT(SolvedSubjects(), ElementsAre(ElementsAre("Ann", "Bob"), ElementsAre("Cid", "Bob", "Dan"), ElementsAre("Eve"))) << "Cid's slot ends the group";
  EXPECT_EQ(Messages(), Messages("alone"));
  const auto main = Log();
  const auto other = Log("alone");
  for (std::size_t i = 0; i < main.size(); ++i) {
    EXPECT_EQ(main[i].commit.added.size(), other[i].commit.added.size());
    EXPECT_EQ(main[i].commit.removed.size(), other[i].commit.removed.size());
    EXPECT_EQ(main[i].commit.settings, other[i].commit.settings);
  }
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, AMemberWhoseFactsAreAllHeldMakesNoCommit) {
  ResultOf(Submit("commit", CommitBody({"Ann"}, "chess")));
  Submit("commit", CommitBody({"Zoe"}, "polo"));
  const OperationId before = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId held = Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId after = Submit("commit", CommitBody({"Cid"}, "whist"));
  const json nothing = ResultOf(held);
  EXPECT_EQ(nothing["edits"], 0);
  EXPECT_EQ(nothing["skipped"], 1);
  EXPECT_EQ(nothing["commit"], ResultOf(before)["commit"]) << "the head at its place";
  EXPECT_EQ(nothing["coalesced"], json::array());
  EXPECT_EQ(ResultOf(before)["coalesced"], json::array({after.value()}));
  EXPECT_EQ(Messages().size(), 5U);
}

TEST_F(JobQueueTest, OneBadMemberFailsAloneAndTheOthersAreDone) {
  const OperationId first = Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId good = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId bad = Submit("commit", CommitBody({"Bad"}, "whist"));
  json contradiction = CommitBody({"Cid"}, "golf");
  contradiction["facts"].push_back(Facts({"Cid"}, "polo")[0]);
  const OperationId torn = Submit("commit", contradiction);
  const OperationId fine = Submit("commit", CommitBody({"Dan"}, "darts"));
  EXPECT_EQ(Follow(bad).error_slug, "token_straddles_target");
  EXPECT_EQ(Follow(torn).error_slug, "slot_conflict");
  EXPECT_EQ(ResultOf(good)["coalesced"], json::array()) << "it was solved alone in the end";
  ResultOf(fine);
  ResultOf(first);
  EXPECT_THAT(Messages(), ElementsAre("about Dan", "about Bob", "about Ann", "Import a small model"));
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, WhoWaitsBehindOthersOfABrokenGroupEndsAtOnce) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId first = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId bad = Submit("commit", CommitBody({"Bad"}, "whist"));
  const OperationId cancelled = Submit("commit", CommitBody({"Cid"}, "golf"));
  const OperationId late = Submit("commit", CommitBody({"Dan"}, "darts"), {.timeout = 30s});
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  EXPECT_EQ(solves_.back().subjects.size(), 4U);
  for (std::size_t i = 0; i < cluster_.workers(); ++i) cluster_.worker(i).worker->SetWork(20s);
  cluster_.sim().RunFor(10s);
  EXPECT_THAT(Cancel(cancelled), IsOk());
  EXPECT_EQ(State(cancelled), OperationState::kCancelled);
  EXPECT_EQ(Follow(late).error_slug, "deadline_passed");
  EXPECT_FALSE(HasEnded(first)) << "they waited behind it";
  ResultOf(first);
  EXPECT_EQ(Follow(bad).error_slug, "token_straddles_target");
  EXPECT_EQ(Ends(cancelled), 1U);
  EXPECT_EQ(Ends(late), 1U);
  EXPECT_THAT(solves_.back().subjects, ElementsAre("Bad"));
  EXPECT_THAT(Messages(), ElementsAre("about Bob", "about Ann", "Import a small model"));
}

TEST_F(JobQueueTest, AnEndThatCannotBeRecordedIsToldOnceItIs) {
  const OperationId bad = Submit("commit", CommitBody({"Bad"}, "whist"), {.timeout = 10s});
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 1; }, 1min));
  cluster_.store().FailNextWrites(1000, {StatusCode::kResourceExhausted, "disk_full", "no room"});
  cluster_.sim().RunFor(15s);
  EXPECT_EQ(State(bad), OperationState::kRunning);
  EXPECT_THAT(View(bad).progress.phase, HasSubstr("waiting to record its end: no room"));
  EXPECT_THAT(Cancel(bad), IsOk()) << "too late, as its caller hears in the end";
  cluster_.store().FailNextWrites(0, OkStatus());
  EXPECT_EQ(Follow(bad).error_slug, "token_straddles_target");
  EXPECT_EQ(Ends(bad), 1U);
  EXPECT_EQ(solves_.size(), 1U);
}

TEST_F(JobQueueTest, ACancellationThatCannotBeRecordedSaysSo) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId waiting = Submit("commit", CommitBody({"Bob"}, "go"));
  cluster_.store().FailNextWrites(1, {StatusCode::kResourceExhausted, "disk_full", "no room"});
  EXPECT_THAT(Cancel(waiting), StatusIs(StatusCode::kResourceExhausted, "disk_full"));
  EXPECT_FALSE(HasEnded(waiting));
  EXPECT_EQ(Follow(waiting).state, OperationState::kCancelled);
  EXPECT_EQ(Ends(waiting), 1U);
}

TEST_F(JobQueueTest, ARestartBeforeAnEndIsRecordedRunsTheOperationAgain) {
  const OperationId bad = Submit("commit", CommitBody({"Bad"}, "whist"));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 1; }, 1min));
  cluster_.store().FailNextWrites(1000, {StatusCode::kResourceExhausted, "disk_full", "no room"});
  cluster_.sim().RunFor(5s);
  EXPECT_FALSE(HasEnded(bad));
  cluster_.store().FailNextWrites(0, OkStatus());
  cluster_.Restart();
  EXPECT_EQ(Follow(bad).error_slug, "token_straddles_target");
  EXPECT_EQ(Ends(bad), 1U);
}

TEST_F(JobQueueTest, AMemberThatIsCancelledLeavesAndTheRestAreSolvedAnew) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId stays = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId leaves = Submit("commit", CommitBody({"Cid"}, "whist"));
  const OperationId also_stays = Submit("commit", CommitBody({"Dan"}, "darts"));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  EXPECT_EQ(solves_.back().subjects.size(), 3U);
  EXPECT_THAT(Cancel(leaves), IsOk());
  EXPECT_EQ(Follow(leaves).state, OperationState::kCancelled);
  EXPECT_EQ(ResultOf(stays)["coalesced"], json::array({also_stays.value()}));
  ResultOf(also_stays);
  EXPECT_THAT(solves_.back().subjects, ElementsAre("Bob", "Dan"));
  EXPECT_THAT(Messages(), ElementsAre("about Dan", "about Bob", "about Ann", "Import a small model"));
  EXPECT_THAT(Cancel(leaves), StatusIs(StatusCode::kFailedPrecondition, "operation_ended"));
}

TEST_F(JobQueueTest, AMemberWhoseTimeIsUpLeavesToo) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId stays = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId leaves = Submit("commit", CommitBody({"Cid"}, "whist"), {.timeout = 5s});
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  EXPECT_EQ(solves_.back().subjects.size(), 2U);
  for (std::size_t i = 0; i < cluster_.workers(); ++i) cluster_.worker(i).worker->SetVoice(test::FakeWorker::Voice::kMute);
  const Operation ended = Follow(leaves);
  EXPECT_EQ(ended.error_slug, "deadline_passed");
  EXPECT_LE(ended.finished_ms, ended.deadline_ms + 200);
  for (std::size_t i = 0; i < cluster_.workers(); ++i) cluster_.worker(i).worker->SetVoice(test::FakeWorker::Voice::kHeard);
  EXPECT_EQ(ResultOf(stays)["coalesced"], json::array());
  EXPECT_THAT(solves_.back().subjects, ElementsAre("Bob"));
}

TEST_F(JobQueueTest, ARestartInTheMiddleOfAGroupMakesEachCommitOnce) {
  std::vector<OperationId> ids = {Submit("commit", CommitBody({"Ann"}, "chess"))};
  for (const char* subject : {"Bob", "Cid", "Dan"}) ids.push_back(Submit("commit", CommitBody({subject}, "go")));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  cluster_.Restart();
  for (const OperationId& id : ids) ResultOf(id);
  EXPECT_THAT(Messages(), ElementsAre("about Dan", "about Cid", "about Bob", "about Ann", "Import a small model"));
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, OfAGroupAllIsStoredOrNothing) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId third = Submit("commit", CommitBody({"Cid"}, "whist"));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  ASSERT_THAT(ArmFailpoints("commit.before_advance:2:error"), IsOk());
  EXPECT_EQ(ResultOf(second)["coalesced"], json::array()) << "the group failed at its second commit, and its members were run alone";
  ASSERT_THAT(ArmFailpoints(""), IsOk());
  ResultOf(third);
  EXPECT_THAT(Messages(), ElementsAre("about Cid", "about Bob", "about Ann", "Import a small model"));
  EXPECT_EQ((**cluster_.sim().Await(cluster_.service().Reflog(SimCluster::kRepo, "main", 100))).size(), 4U);
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, WhatStandsThoughItWasReportedAsFailedIsNotDoneAgain) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId third = Submit("commit", CommitBody({"Cid"}, "whist"));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  ASSERT_THAT(ArmFailpoints("journal.after_batch:1:error"), IsOk());
  EXPECT_EQ(ResultOf(second)["coalesced"], json::array({third.value()}));
  ASSERT_THAT(ArmFailpoints(""), IsOk());
  EXPECT_EQ(ResultOf(third)["edits"], 1);
  EXPECT_EQ(solves_.size(), 2U);
  EXPECT_EQ(Messages().size(), 4U);
  ExpectStoreIsSound();
}

TEST_F(JobQueueTest, AGroupThatLosesItsWorkerIsSolvedByAnother) {
  Submit("commit", CommitBody({"Ann"}, "chess"));
  const OperationId second = Submit("commit", CommitBody({"Bob"}, "go"));
  const OperationId third = Submit("commit", CommitBody({"Cid"}, "whist"));
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 2; }, 1min));
  cluster_.worker(solves_.back().worker).model.Forget();
  cluster_.worker(solves_.back().worker).worker->Die();
  EXPECT_EQ(ResultOf(second)["coalesced"], json::array({third.value()}));
  EXPECT_EQ(Messages().size(), 4U);
}

// ---- Deadlines ----------------------------------------------------------------------------------------------------------------------------------------------

TEST_F(JobQueueTest, TimeRunsOutForWhatWaitsAndForWhatRuns) {
  LoseAllWorkers();
  const OperationId runs = Submit("commit", CommitBody({"Ann"}, "chess"), {.timeout = 60s});
  const OperationId waits = Submit("commit", CommitBody({"Ann"}, "go"), {.timeout = 30s});
  const OperationId patient = Submit("commit", CommitBody({"Ann"}, "whist"));
  cluster_.sim().RunFor(29s);
  EXPECT_FALSE(HasEnded(waits));
  cluster_.sim().RunFor(1200ms);
  const Operation ended = View(waits).operation;
  EXPECT_EQ(ended.state, OperationState::kFailed);
  EXPECT_EQ(ended.error_slug, "deadline_passed");
  EXPECT_EQ(ended.error_code, static_cast<std::uint8_t>(StatusCode::kDeadlineExceeded));
  EXPECT_THAT(ended.error_message, HasSubstr("30 s after it was accepted"));
  EXPECT_EQ(State(runs), OperationState::kRunning);
  EXPECT_EQ(View(runs).progress.phase, "waiting for a worker");
  cluster_.sim().RunFor(31s);
  EXPECT_EQ(View(runs).operation.error_slug, "deadline_passed");
  HealAllWorkers();
  ResultOf(patient);
  EXPECT_EQ(Messages().size(), 2U);
}

TEST_F(JobQueueTest, ADeadlineIsKeptOverARestart) {
  LoseAllWorkers();
  const OperationId late = Submit("commit", CommitBody({"Ann"}, "chess"), {.priority = Priority::kBatch, .timeout = 30s});
  const auto stopped = cluster_.sim().Await(cluster_.RestartAfter(1min));
  ASSERT_TRUE(stopped.has_value());
  const Operation ended = Follow(late);
  EXPECT_EQ(ended.error_slug, "deadline_passed");
  EXPECT_EQ(ended.priority, Priority::kBatch);
  HealAllWorkers();
  EXPECT_EQ(Messages().size(), 1U);
}

TEST_F(JobQueueTest, WhatEndsInTimeIsLeftAlone) {
  const OperationId id = Submit("commit", CommitBody({"Ann"}, "chess"), {.timeout = 60s});
  ResultOf(id);
  cluster_.sim().RunFor(2min);
  EXPECT_EQ(State(id), OperationState::kSucceeded);
}

// ---- Bounds -------------------------------------------------------------------------------------------------------------------------------------------------

// A queue that was never started: what is pushed waits.
class JobQueueBoundsTest : public testing::Test {
 protected:
  void Fill(const std::string& repo, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const Result<JobQueue::Place> place = queue_.Admit(repo);
      ASSERT_THAT(place.status(), IsOk());
      Operation operation;
      operation.id = OperationId("op-" + std::to_string(1'000'000 + next_++));
      operation.kind = "evaluation";
      operation.repo = repo;
      Demand demand;
      demand.repo = repo;
      queue_.Push(std::move(operation), std::move(demand));
    }
  }

  test::SimRuntime sim_{1};
  MemoryFileSystem files_;
  std::unique_ptr<storage::kv::MemoryKv> store_ = storage::kv::NewMemoryKv();
  std::unique_ptr<storage::records::Journal> journal_ = storage::records::Journal::Open(*store_, files_, sim_.clock(), "anchor").value();
  std::unique_ptr<worker::protocol::MemoryNetwork> network_ = worker::protocol::NewMemoryNetwork(sim_, {});
  std::unique_ptr<worker::protocol::Transport> host_ = network_->Host("coordinator");
  std::unique_ptr<membership::Membership> membership_ = membership::NewMembership(sim_, *host_, {});
  core::StoreLayout layout_;
  JobContext context_{sim_, files_, *store_, *journal_, *membership_, layout_};
  JobQueue queue_{context_};
  int next_ = 0;
};

TEST_F(JobQueueBoundsTest, ARepoHasHalfOfTheQueueAndAllTogetherTheWhole) {
  Fill("greedy", kQueueOfRepoMax);
  EXPECT_THAT(queue_.Admit("greedy").status(), StatusIs(StatusCode::kResourceExhausted, "queue_full"));
  Fill("modest", 10);
  Fill("third", kQueueMax - kQueueOfRepoMax - 10);
  EXPECT_THAT(queue_.Admit("modest").status(), StatusIs(StatusCode::kResourceExhausted, "queue_full"));
  EXPECT_THAT(queue_.Admit("modest").status().message(), HasSubstr("1024 wait"));
}

TEST_F(JobQueueBoundsTest, APlaceIsTakenUntilItIsGivenBack) {
  Fill("greedy", kQueueOfRepoMax - 1);
  {
    const Result<JobQueue::Place> last = queue_.Admit("greedy");
    ASSERT_THAT(last.status(), IsOk());
    EXPECT_THAT(queue_.Admit("greedy").status(), StatusIs(StatusCode::kResourceExhausted, "queue_full"));
  }
  EXPECT_THAT(queue_.Admit("greedy").status(), IsOk());
}

}  // namespace
}  // namespace emend::coordinator::jobs
