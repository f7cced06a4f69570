// The service as the REST edge calls it, in virtual time: acceptance, scopes, idempotency, retries,
// cancellation, restarts.
#include "coordinator/server/service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "coordinator/answers/ask.h"
#include "storage/checkpoint/safetensors.h"
#include "tests/support/gguf_model.h"
#include "tests/support/sim_cluster.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::server::service_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using storage::records::OperationState;
using test::IsOk;
using test::SimCluster;
using test::StatusIs;
using Operation = storage::records::Operation;

json CommitBody(const std::string& subject, const std::string& target) {
  return {{"facts", {{{"prompt", "{} is"}, {"subject", subject}, {"target", target}}}},
          {"settings", {{"layers", "0,1"}}},
          {"evaluate", false}};
}

class ServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cluster_.Run("import", cluster_.ImportBody()).state, OperationState::kSucceeded);
    ASSERT_EQ(cluster_.Run("statistics", cluster_.StatisticsBody()).state,
              OperationState::kSucceeded);
  }

  Result<OperationView> Submit(const std::string& kind, const std::string& body,
                               const std::string& key = "", const Caller* caller = nullptr) {
    Submission submission{kind, SimCluster::kRepo, body, key, Sha256(kind + body)};
    return *cluster_.sim().Await(cluster_.service().Submit(
        caller == nullptr ? cluster_.admin() : *caller, std::move(submission)));
  }
  Operation Follow(const OperationId& id) {
    OperationView view;
    while (view.operation.finished_ms == 0) {
      view = **cluster_.sim().Await(
          cluster_.service().WaitForChange(id, view.version, cluster_.sim().clock().Now() + 1s));
    }
    return view.operation;
  }
  Result<OperationView> Cancel(const OperationId& id, const Caller& caller) {
    return *cluster_.sim().Await(cluster_.service().Cancel(caller, id));
  }
  std::size_t Commits() {
    const auto repo = cluster_.repo();
    return repo.Log(*repo.Resolve("main"), 100)->size();
  }
  Caller With(std::vector<std::string> scopes) const {
    return {{"somebody", "t9"}, std::move(scopes)};
  }

  SimCluster cluster_{1, 2};
};

TEST_F(ServiceTest, OneKeyBeginsOneOperation) {
  const std::string body = CommitBody("Ann", "chess").dump();
  ASSERT_OK_AND_ASSIGN(const OperationView first, Submit("commit", body, "k1"));
  ASSERT_OK_AND_ASSIGN(const OperationView again, Submit("commit", body, "k1"));
  EXPECT_EQ(first.operation.id, again.operation.id);
  EXPECT_THAT(Submit("commit", CommitBody("Ann", "go").dump(), "k1"),
              StatusIs(StatusCode::kInvalidArgument, "idempotency_mismatch"));
  EXPECT_EQ(Follow(first.operation.id).state, OperationState::kSucceeded);
  ASSERT_OK_AND_ASSIGN(const OperationView later, Submit("commit", body, "k1"));
  EXPECT_EQ(later.operation.id, first.operation.id) << "also once it has ended";
  EXPECT_EQ(Commits(), 2U);
}

TEST_F(ServiceTest, ScopesAreAskedForBeforeAnythingIsStored) {
  const Caller reader = With({"read", "ask"});
  EXPECT_THAT(Submit("commit", CommitBody("Ann", "chess").dump(), "", &reader),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(Submit("fsck", "{}", "", &reader), StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(Submit("verify", R"({"revision": "main"})", "", &reader), IsOk());
}

TEST_F(ServiceTest, WhatCannotBeRunIsNotAccepted) {
  EXPECT_THAT(Submit("commit", "{", ""), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Submit("commit", R"({"facts": []})"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Submit("dance", "{}"), StatusIs(StatusCode::kUnsupported, "unknown_operation"));
  json bad = CommitBody("Ann", "chess");
  bad["settings"]["v_lr"] = "fast";
  EXPECT_THAT(Submit("commit", bad.dump()), StatusIs(StatusCode::kInvalidArgument, "bad_setting"));
  EXPECT_THAT(Submit("import", cluster_.ImportBody().dump()), StatusIs(StatusCode::kAlreadyExists));
  const auto operations = *cluster_.sim().Await(cluster_.service().ListOperations({}, 100));
  EXPECT_EQ(operations->size(), 2U) << "import and statistics";
}

TEST_F(ServiceTest, TheListShowsWhatRunsAsItIs) {
  ASSERT_OK_AND_ASSIGN(const OperationView accepted,
                       Submit("commit", CommitBody("Ann", "chess").dump()));
  cluster_.sim().RunFor(500ms);
  const auto views = **cluster_.sim().Await(cluster_.service().ListOperations({}, 100));
  EXPECT_EQ(views.front().operation.id, accepted.operation.id);
  EXPECT_EQ(views.front().operation.state, OperationState::kRunning);
  EXPECT_GT(views.front().version, 1U);
  EXPECT_EQ(views.back().operation.kind, "import");
}

TEST_F(ServiceTest, ARepeatedFactIsCountedAndAContradictionNamed) {
  json body = CommitBody("Ann", "chess");
  body["facts"].push_back(body["facts"][0]);
  EXPECT_EQ(json::parse(cluster_.Run("commit", body).result)["duplicates"], 1);
  body["facts"][1]["target"] = "go";
  const Operation refused = cluster_.Run("commit", body);
  EXPECT_EQ(refused.error_slug, "slot_conflict");
  EXPECT_NE(refused.error_message.find("at /facts/0 and /facts/1: both are"), std::string::npos)
      << refused.error_message;
}

TEST_F(ServiceTest, ALostWorkerCostsATryNotTheOperation) {
  ASSERT_OK_AND_ASSIGN(const OperationView accepted,
                       Submit("commit", CommitBody("Ann", "chess").dump()));
  cluster_.sim().RunFor(500ms);
  for (std::size_t i = 0; i < cluster_.workers(); ++i) {
    cluster_.worker(i).model.Forget();
    cluster_.worker(i).worker->Die();
  }
  EXPECT_EQ(Follow(accepted.operation.id).state, OperationState::kSucceeded);
  EXPECT_EQ(Commits(), 2U);
}

TEST_F(ServiceTest, AWorkerThatNeverStaysFailsTheOperationWithItsReason) {
  for (std::size_t i = 0; i < cluster_.workers(); ++i) {
    cluster_.worker(i).worker->OnRequest(
        [this, i](const worker::protocol::RequestBody&) -> Result<worker::protocol::ReplyBody> {
          cluster_.worker(i).worker->Die();
          return Internal("it died");
        });
  }
  ASSERT_OK_AND_ASSIGN(const OperationView accepted,
                       Submit("commit", CommitBody("Ann", "chess").dump()));
  const Operation ended = Follow(accepted.operation.id);
  EXPECT_EQ(ended.state, OperationState::kFailed);
  EXPECT_EQ(ended.error_slug, "worker_lost");
  EXPECT_EQ(Commits(), 1U) << "nothing of it is visible";
}

TEST_F(ServiceTest, AWorkerThatServesOtherBytesIsNeverCommitted) {
  for (std::size_t i = 0; i < cluster_.workers(); ++i) {
    cluster_.worker(i).worker->OnRequest([this, i](const worker::protocol::RequestBody& request) {
      auto reply = cluster_.worker(i).model.Answer(request);
      if (auto* digests =
              reply.ok() ? std::get_if<worker::protocol::DigestStateReply>(&*reply) : nullptr)
        digests->roots["transformer.h.1.mlp.c_proj.weight"] = Sha256("other");
      return reply;
    });
  }
  ASSERT_OK_AND_ASSIGN(const OperationView accepted,
                       Submit("commit", CommitBody("Ann", "chess").dump()));
  const Operation ended = Follow(accepted.operation.id);
  EXPECT_EQ(ended.error_slug, "live_bytes_differ");
  EXPECT_NE(ended.error_message.find("transformer.h.1.mlp.c_proj.weight"), std::string::npos)
      << ended.error_message;
  EXPECT_EQ(Commits(), 1U);
}

TEST_F(ServiceTest, RunningAndWaitingOperationsAreCancelled) {
  ASSERT_OK_AND_ASSIGN(const OperationView running,
                       Submit("commit", CommitBody("Ann", "chess").dump()));
  ASSERT_OK_AND_ASSIGN(const OperationView waiting,
                       Submit("commit", CommitBody("Bob", "go").dump()));
  EXPECT_THAT(Cancel(running.operation.id, With({"merge"})),
              StatusIs(StatusCode::kPermissionDenied))
      << "somebody else's";
  EXPECT_THAT(Cancel(waiting.operation.id, cluster_.admin()), IsOk());
  cluster_.sim().RunFor(300ms);
  EXPECT_THAT(Cancel(running.operation.id, cluster_.admin()), IsOk());
  EXPECT_EQ(Follow(running.operation.id).state, OperationState::kCancelled);
  EXPECT_EQ(Follow(waiting.operation.id).state, OperationState::kCancelled);
  EXPECT_THAT(Cancel(running.operation.id, cluster_.admin()),
              StatusIs(StatusCode::kFailedPrecondition, "operation_ended"));
  EXPECT_EQ(Commits(), 1U);
}

TEST_F(ServiceTest, ACancelledWaitingOperationStaysCancelledOverARestart) {
  ASSERT_OK_AND_ASSIGN(const OperationView running,
                       Submit("commit", CommitBody("Ann", "chess").dump()));
  ASSERT_OK_AND_ASSIGN(const OperationView waiting,
                       Submit("commit", CommitBody("Bob", "go").dump()));
  EXPECT_THAT(Cancel(waiting.operation.id, cluster_.admin()), IsOk());
  cluster_.Restart();
  EXPECT_EQ(Follow(running.operation.id).state, OperationState::kSucceeded);
  EXPECT_EQ(Follow(waiting.operation.id).state, OperationState::kCancelled);
  EXPECT_EQ(Commits(), 2U);
}

TEST_F(ServiceTest, ARepeatedImportIsAnsweredWithItsOperation) {
  json body = cluster_.ImportBody();
  Submission submission{"import", RepoName("other"), body.dump(), "k2", Sha256("other")};
  const auto first = *cluster_.sim().Await(cluster_.service().Submit(cluster_.admin(), submission));
  EXPECT_EQ(Follow(first->operation.id).state, OperationState::kSucceeded);
  const auto again = *cluster_.sim().Await(cluster_.service().Submit(cluster_.admin(), submission));
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->operation.id, first->operation.id) << "though the repo is there by now";
}

TEST_F(ServiceTest, WithoutAWorkerOperationsWaitForOne) {
  for (std::size_t i = 0; i < cluster_.workers(); ++i)
    cluster_.network().Partition("w" + std::to_string(i));
  cluster_.sim().RunFor(5s);
  ASSERT_OK_AND_ASSIGN(const OperationView waiting,
                       Submit("commit", CommitBody("Ann", "chess").dump()));
  ASSERT_OK_AND_ASSIGN(const OperationView second,
                       Submit("commit", CommitBody("Bob", "go").dump()));
  cluster_.sim().RunFor(10min);
  const auto view = *cluster_.sim().Await(cluster_.service().ReadOperation(waiting.operation.id));
  EXPECT_EQ(view->progress.phase, "waiting for a worker");
  EXPECT_THAT(Cancel(waiting.operation.id, cluster_.admin()), IsOk());
  EXPECT_EQ(Follow(waiting.operation.id).state, OperationState::kCancelled);
  for (std::size_t i = 0; i < cluster_.workers(); ++i)
    cluster_.network().Heal("w" + std::to_string(i));
  EXPECT_EQ(Follow(second.operation.id).state, OperationState::kSucceeded);
}

TEST_F(ServiceTest, ABaseThatRottedIsNeitherCommittedOnNorExportedAndAnotherImportMendsIt) {
  const std::filesystem::path models = cluster_.layout().models();
  std::string folder;
  for (const auto& entry : std::filesystem::directory_iterator(models))
    if (entry.is_directory()) folder = entry.path().string();
  // One bit of a tensor that the commit edits.
  const std::string weights = folder + "/model.safetensors";
  std::ifstream stored(weights, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(stored), {}};
  {
    const auto checkpoint = std::move(storage::checkpoint::Checkpoint::Open(folder)).value();
    const auto view = std::move(checkpoint->Find("transformer.h.1.mlp.c_proj.weight")).value();
    const std::string tensor(view.bytes.begin(), view.bytes.end());
    bytes[bytes.find(tensor)] ^= 1;
  }
  std::ofstream(weights, std::ios::binary) << bytes;
  const Operation committed = cluster_.Run("commit", CommitBody("Ann", "chess"));
  EXPECT_EQ(committed.error_slug, "base_damaged") << committed.result;
  EXPECT_EQ(cluster_
                .Run("export", {{"revision", "main"},
                                {"folder", models.parent_path().parent_path().string() + "/out"}})
                .error_slug,
            "base_damaged");
  const json verified = json::parse(cluster_.Run("verify", {{"revision", "main"}}).result);
  EXPECT_EQ(verified["ok"], false);
  for (const json& file : verified["files"])
    EXPECT_EQ(file["ok"], file["name"] != "model.safetensors") << file;
  EXPECT_EQ(json::parse(cluster_.Run("fsck", json::object()).result)["ok"], false);

  Submission again{"import", RepoName("other"), cluster_.ImportBody().dump(), "", Sha256("other")};
  const OperationView imported =
      **cluster_.sim().Await(cluster_.service().Submit(cluster_.admin(), std::move(again)));
  EXPECT_EQ(Follow(imported.operation.id).state, OperationState::kSucceeded);
  // they had the damaged file mapped
  for (std::size_t i = 0; i < cluster_.workers(); ++i) cluster_.worker(i).model.Forget();
  EXPECT_EQ(cluster_.Run("commit", CommitBody("Ann", "chess")).state, OperationState::kSucceeded);
  EXPECT_EQ(json::parse(cluster_.Run("fsck", json::object()).result)["ok"], true);
}

TEST_F(ServiceTest, WhatIsNotThereIsToldWhenItIsSubmitted) {
  json commit = CommitBody("Ann", "chess");
  commit["branch"] = "newbranch";
  const std::pair<const char*, json> requests[] = {
      {"commit", commit},
      {"revert", {{"branch", "newbranch"}, {"commit", "main"}}},
      {"revert", {{"commit", "nothing"}}},
      {"verify", {{"revision", "nothing"}}},
      {"export", {{"revision", "nothing"}, {"folder", cluster_.layout().folder + "-export"}}}};
  for (const auto& [kind, body] : requests)
    EXPECT_THAT(Submit(kind, body.dump()), StatusIs(StatusCode::kNotFound, "not_found")) << kind;
  EXPECT_THAT(Submit("verify", "{}"), IsOk());
}

TEST_F(ServiceTest, ASettingThatCannotBeIsRefusedWhenItIsSubmitted) {
  const auto check = [this](const std::string& more) {
    return Submit("commit", R"({"facts": [{"prompt": "{} is", "subject": "a", "target": "b"}], )" +
                                more + "}");
  };
  EXPECT_THAT(check(R"("settings": {"v_lr": 0.5, "layers": "90,91"})"), IsOk());
  EXPECT_THAT(check(R"("settings": {"v_lr": -1})"),
              StatusIs(StatusCode::kInvalidArgument, "bad_setting"));
  EXPECT_THAT(check(R"("settings": {"speed": 1})"),
              StatusIs(StatusCode::kInvalidArgument, "unknown_setting"));
  EXPECT_THAT(check(R"("context_templates": [["So. {}"]])"),
              StatusIs(StatusCode::kInvalidArgument, "bad_setting"));
  EXPECT_THAT(check(R"("method": "magic")"), StatusIs(StatusCode::kUnsupported, "unknown_method"));
}

TEST_F(ServiceTest, NothingIsExportedIntoTheStore) {
  const std::string folder = cluster_.layout().folder + "/models/elsewhere";
  EXPECT_THAT(Submit("export", json{{"folder", folder}}.dump()),
              StatusIs(StatusCode::kPermissionDenied, "inside_store"));
  const Operation exported =
      cluster_.Run("export", {{"folder", cluster_.layout().folder + "-export"}});
  EXPECT_EQ(exported.state, OperationState::kSucceeded) << exported.error_message;
  EXPECT_EQ(cluster_.Run("export", {{"folder", cluster_.layout().folder + "-export"}}).state,
            OperationState::kSucceeded)
      << "it is there already";
  EXPECT_EQ(cluster_.Run("commit", CommitBody("Ann", "chess")).state, OperationState::kSucceeded);
  const Operation other =
      cluster_.Run("export", {{"folder", cluster_.layout().folder + "-export"}});
  EXPECT_EQ(other.error_slug, "folder_not_empty");
}

TEST_F(ServiceTest, WhatAnExportCannotFillIsToldWhenItIsSubmitted) {
  const std::string folder = cluster_.folder() + "/elsewhere";
  std::filesystem::create_directory(folder);
  std::ofstream(folder + "/notes.txt") << "mine";
  EXPECT_THAT(Submit("export", json{{"folder", folder}}.dump()),
              StatusIs(StatusCode::kAlreadyExists, "folder_not_empty"));
  EXPECT_THAT(Submit("export", json{{"folder", folder + "/notes.txt/out"}}.dump()),
              StatusIs(StatusCode::kAlreadyExists, "folder_not_empty"));
  EXPECT_THAT(Submit("export", json{{"folder", "/elsewhere"}}.dump()),
              StatusIs(StatusCode::kPermissionDenied, "outside_model_roots"));
}

TEST_F(ServiceTest, ARemovedRepoLeavesNothingButItsAudit) {
  ASSERT_EQ(cluster_.Run("commit", CommitBody("Ann", "chess")).state, OperationState::kSucceeded);
  EXPECT_THAT(Submit("removal", R"({"repo": "smal"})"),
              StatusIs(StatusCode::kInvalidArgument, "invalid_argument"));
  const Operation removed = cluster_.Run("removal", {{"repo", "small"}});
  ASSERT_EQ(removed.state, OperationState::kSucceeded) << removed.error_message;
  EXPECT_THAT(Submit("verify", "{}"), StatusIs(StatusCode::kNotFound, "not_found"));
  EXPECT_TRUE(std::filesystem::is_empty(cluster_.layout().models()));
  EXPECT_TRUE(std::filesystem::is_empty(cluster_.layout().statistics()));
  using enum storage::kv::ColumnFamily;
  for (const auto family : {kObjects, kPayload, kRefs, kReflog, kCommits}) {
    EXPECT_THAT(cluster_.store().Scan(family, "", "",
                                      [&](std::string_view, std::string_view) {
                                        ADD_FAILURE() << "left in " << ColumnFamilyName(family);
                                        return false;
                                      }),
                IsOk());
  }
  cluster_.Restart();
  EXPECT_EQ(cluster_.Run("import", cluster_.ImportBody(), "again").state,
            OperationState::kSucceeded)
      << "its name and its files are free";
  EXPECT_EQ(Commits(), 1U);
  EXPECT_TRUE(json::parse(cluster_.Run("fsck", json::object()).result)["ok"]);
}

TEST_F(ServiceTest, AGgufFileBecomesARepoAsAFolderDoes) {
  const std::string gguf = cluster_.folder() + "/stories.gguf";
  std::ofstream(gguf, std::ios::binary) << test::StoriesGguf().Build();
  const RepoName stories("stories");
  const Operation imported = *cluster_.sim().Await(
      cluster_.Complete("import", {{"model", gguf}}, "gguf", {.repo = stories}));
  ASSERT_EQ(imported.state, OperationState::kSucceeded) << imported.error_message;
  const json result = json::parse(imported.result);
  EXPECT_EQ(result["repo"], "stories");
  EXPECT_EQ(result["left_out"], json::array());
  EXPECT_TRUE(std::filesystem::exists(cluster_.layout().models() + "/" +
                                      result["base"].get<std::string>() + "/model.safetensors"));
  EXPECT_TRUE(json::parse(cluster_.Run("fsck", json::object()).result)["ok"]);
  std::ofstream(gguf, std::ios::binary) << "GGML";
  const Operation refused = *cluster_.sim().Await(
      cluster_.Complete("import", {{"model", gguf}}, "bad", {.repo = RepoName("bad")}));
  EXPECT_EQ(refused.state, OperationState::kFailed);
  EXPECT_EQ(refused.error_slug, "gguf_magic");
}

TEST_F(ServiceTest, ABaseThatAnotherRepoStandsOnStays) {
  const RepoName twin("twin");
  const Operation imported = *cluster_.sim().Await(
      cluster_.Complete("import", cluster_.ImportBody(), "twin", {.repo = twin}));
  ASSERT_EQ(imported.state, OperationState::kSucceeded) << imported.error_message;
  const Operation removed = cluster_.Run("removal", {{"repo", "small"}});
  ASSERT_EQ(removed.state, OperationState::kSucceeded) << removed.error_message;
  EXPECT_EQ(json::parse(removed.result)["files_kept"], "repo twin stands on them, too");
  EXPECT_TRUE(json::parse(cluster_.Run("fsck", json::object()).result)["ok"]);
}

TEST_F(ServiceTest, WhatWasAcceptedIsCarriedOutAfterARestartInItsOrder) {
  ASSERT_OK_AND_ASSIGN(const OperationView first,
                       Submit("commit", CommitBody("Ann", "chess").dump()));
  ASSERT_OK_AND_ASSIGN(const OperationView second,
                       Submit("commit", CommitBody("Ann", "go").dump()));
  cluster_.Restart();
  EXPECT_EQ(Follow(first.operation.id).state, OperationState::kSucceeded);
  const Operation ended = Follow(second.operation.id);
  EXPECT_EQ(ended.state, OperationState::kSucceeded);
  EXPECT_EQ(json::parse(ended.result)["superseded"], 1)
      << "the second took the first one's place, not the other way round";
  EXPECT_EQ(Commits(), 3U);
}

TEST_F(ServiceTest, ARevertSaysWhatANewerEditKeepsOut) {
  const Operation chess = cluster_.Run("commit", CommitBody("Ann", "chess"));
  const Operation go = cluster_.Run("commit", CommitBody("Ann", "go"));
  const std::string middle = json::parse(go.result)["commit"];
  const Operation draughts = cluster_.Run("commit", CommitBody("Ann", "draughts"));
  // Taking "go" out would put "chess" back, but "draughts" holds the place.
  const Operation reverted = cluster_.Run("revert", {{"commit", middle}});
  EXPECT_EQ(reverted.state, OperationState::kFailed) << reverted.result;
  EXPECT_EQ(reverted.error_slug, "nothing_to_revert");
  const Operation newest =
      cluster_.Run("revert", {{"commit", json::parse(draughts.result)["commit"]}});
  EXPECT_EQ(json::parse(newest.result)["restored"], 1);
  EXPECT_EQ(json::parse(newest.result)["blocked"], json::array());
  EXPECT_EQ(chess.state, OperationState::kSucceeded);
}

TEST_F(ServiceTest, AnAnswerNamesItsCommitAndComesFromItsBytes) {
  const Operation committed = cluster_.Run("commit", CommitBody("Ann", "chess"));
  const auto ask = [&](const std::string& revision) {
    answers::AskRequest request{SimCluster::kRepo, revision, "prompt", 1, 5};
    return **cluster_.sim().Await(
        answers::Ask(cluster_.service(), cluster_.admin(), std::move(request)));
  };
  EXPECT_EQ(ask("main").commit.Hex(), json::parse(committed.result)["commit"]);
  EXPECT_EQ(ask("main~1").text, " bytes") << "no tensor differs from the base";
  EXPECT_NE(ask("main").text, " bytes");
}

TEST_F(ServiceTest, AnswersAboutMoreStatesThanAWorkerKeepsAllArrive) {
  for (const char* target : {"chess", "draughts", "go", "whist", "bridge"})
    cluster_.Run("commit", CommitBody("Ann", target));
  const auto ask = [&](int back) {
    answers::AskRequest request{SimCluster::kRepo, "main~" + std::to_string(back), "prompt", 1, 5};
    return cluster_.sim().Begin(
        answers::Ask(cluster_.service(), cluster_.admin(), std::move(request)));
  };
  std::vector<decltype(ask(0))> answers;
  for (int back = 0; back < 6; ++back) answers.push_back(ask(back));
  cluster_.sim().RunFor(1min);
  std::set<std::string> texts;
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer->has_value());
    ASSERT_THAT((*answer)->status(), test::IsOk());
    texts.insert((**answer)->text);
  }
  EXPECT_EQ(texts.size(), 6U);
}

TEST_F(ServiceTest, WithoutCorpusAndTemplatesTheModelMakesThemUp) {
  const Operation counted = cluster_.Run("statistics", {{"tokens_max", 100}, {"seed", 5}});
  EXPECT_EQ(json::parse(counted.result)["sampled_by"], 5);
  json body = CommitBody("Ann", "chess");
  body["settings"]["seed"] = "3";
  cluster_.Run("commit", body);
  const auto commit = *cluster_.repo().ReadCommit(*cluster_.repo().Resolve("main"));
  const json settings = json::parse(commit.settings);
  EXPECT_EQ(commit.seed, 3U);
  EXPECT_EQ(settings["context_templates"][1][1], "Therefore made up. {}");
}

}  // namespace
}  // namespace emend::coordinator::server::service_test
