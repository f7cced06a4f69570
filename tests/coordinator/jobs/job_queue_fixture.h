// The queue with real jobs, workers without a model and virtual time: a fixture for what its tests
// submit, follow and read.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/jobs/job_queue.h"
#include "coordinator/operations/operations.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::jobs {

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
using worker::protocol::ReplyBody;
using worker::protocol::RequestBody;
using worker::protocol::Solve;

inline json Facts(const std::vector<std::string>& subjects, const std::string& target) {
  json facts = json::array();
  for (const std::string& subject : subjects)
    facts.push_back({{"prompt", "{} is"}, {"subject", subject}, {"target", target}});
  return facts;
}

inline json CommitBody(const std::vector<std::string>& subjects, const std::string& target,
                       const std::string& branch = "main") {
  return {{"branch", branch},
          {"facts", Facts(subjects, target)},
          {"message", "about " + subjects.front()},
          {"settings", {{"layers", "0,1"}}}};
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
    std::string past_keys_file = {};
    bool had_past_keys = false;  // the file was there
  };

  void SetUp() override {
    ASSERT_TRUE(cluster_.Prepare([this](std::size_t worker, const RequestBody& request) {
      return Answer(worker, request);
    }));
  }

  Result<ReplyBody> Answer(std::size_t worker, const RequestBody& request) {
    if (const auto* solve = std::get_if<Solve>(&request)) {
      Solved solved{.worker = worker, .subjects = {}};
      for (const auto& fact : solve->facts) solved.subjects.push_back(fact.subject);
      solved.past_keys_file = solve->past_keys_file;
      solved.had_past_keys = std::filesystem::exists(solve->past_keys_file);
      solves_.push_back(solved);
      if (std::ranges::find(solved.subjects, "Bad") != solved.subjects.end())
        return Status(StatusCode::kInvalidArgument, "token_straddles_target", "it does");
    }
    return cluster_.worker(worker).model.Answer(request);
  }

  Result<OperationView> Try(const std::string& kind, const json& body, const How& how = {}) {
    server::Caller caller = cluster_.admin();
    caller.principal.name = how.by;
    Submission submission{kind,         how.repo,   body.dump(), "", Sha256(body.dump()),
                          how.priority, how.timeout};
    return *cluster_.sim().Await(cluster_.service().Submit(caller, std::move(submission)));
  }
  OperationId Submit(const std::string& kind, const json& body, const How& how = {}) {
    const Result<OperationView> accepted = Try(kind, body, how);
    EXPECT_THAT(accepted, IsOk());
    return accepted->operation.id;
  }
  OperationView View(const OperationId& id) {
    return **cluster_.sim().Await(cluster_.service().ReadOperation(id));
  }
  OperationState State(const OperationId& id) { return View(id).operation.state; }
  bool HasEnded(const OperationId& id) { return View(id).operation.finished_ms != 0; }
  Operation Follow(const OperationId& id) {
    while (!HasEnded(id)) cluster_.sim().RunFor(100ms);
    return View(id).operation;
  }
  json ResultOf(const OperationId& id) {
    const Operation ended = Follow(id);
    EXPECT_EQ(ended.state, OperationState::kSucceeded)
        << ended.error_slug << ": " << ended.error_message;
    return ended.state == OperationState::kSucceeded ? json::parse(ended.result) : json::object();
  }
  Status Cancel(const OperationId& id) {
    return cluster_.sim().Await(cluster_.service().Cancel(cluster_.admin(), id))->status();
  }
  void MakeBranch(const std::string& name) {
    ASSERT_THAT(cluster_.MoveRef({.name = name, .revision = "main"}), IsOk());
  }
  // A branch with a commit of its own: its state is another than main's, so that it may have
  // another worker.
  void Diverge(const std::string& name) {
    MakeBranch(name);
    ResultOf(Submit("commit", CommitBody({"root of " + name}, "own", name)));
  }
  std::vector<storage::history::NumberedCommit> Log(const std::string& revision = "main") {
    return *cluster_.repo().Log(*cluster_.repo().Resolve(revision), 100);
  }
  std::vector<std::string> Messages(const std::string& revision = "main") {
    std::vector<std::string> messages;
    const auto log = Log(revision);
    for (const auto& entry : log) messages.push_back(entry.commit.message);
    return messages;
  }
  // How often its end was recorded.
  std::size_t Ends(const OperationId& id) {
    const auto entries = *cluster_.service().journal().ReadPage(1, 1000);
    return static_cast<std::size_t>(std::ranges::count_if(entries, [&](const auto& entry) {
      const bool ends = entry.act.act == "operation.succeed" || entry.act.act == "operation.fail" ||
                        entry.act.act == "operation.cancel";
      return ends && std::ranges::any_of(entry.act.ids, [&](const auto& named) {
               return named.second == id.value();
             });
    }));
  }
  void LoseAllWorkers() {
    for (std::size_t i = 0; i < cluster_.workers(); ++i)
      cluster_.network().Partition("w" + std::to_string(i));
    cluster_.sim().RunFor(5s);
  }
  void HealAllWorkers() {
    for (std::size_t i = 0; i < cluster_.workers(); ++i)
      cluster_.network().Heal("w" + std::to_string(i));
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

}  // namespace emend::coordinator::jobs
