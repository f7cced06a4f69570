#include "worker/server/handlers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "storage/base/failpoint.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/server/handlers_fixture.h"

namespace emend::worker::server::handlers_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using protocol::EnsureStateReply;
using protocol::ReplyBody;
using protocol::RequestBody;

// Of the four facts: covariances over 200 lines are a coarse picture of the model's keys.
constexpr std::size_t kLearntMin = 3;

TEST_F(HandlersTest, ABaseIsDescribedAndLoadedOnce) {
  const auto first = Get<protocol::LoadBaseReply>(LoadRequest());
  EXPECT_EQ(first.family, "gpt2");
  EXPECT_EQ(first.layers, 6);
  EXPECT_EQ(first.intermediate, 2048);
  EXPECT_EQ(first.context, 256);
  EXPECT_GT(first.bytes_read, std::uint64_t{20'000'000});
  EXPECT_EQ(Get<protocol::LoadBaseReply>(LoadRequest()).bytes_read, 0U);
}

TEST_F(HandlersTest, ABaseThatIsNotWhatWasImportedIsNotLoaded) {
  protocol::LoadBase request = LoadRequest();
  request.files["config.json"] = Digest();
  EXPECT_THAT(Ask(request), StatusIs(StatusCode::kDataLoss, "base_damaged"));
  EXPECT_THAT(Ask(EnsureRequest(BaseState(), 0)),
              StatusIs(StatusCode::kFailedPrecondition, "base_not_loaded"));
}

TEST_F(HandlersTest, WithATileFileTheWeightsAreCheckedTileByTile) {
  test::TemporaryFolder folder;
  const protocol::LoadBase request = CheckedLoadRequest(folder.path());
  const std::uint64_t small = std::filesystem::file_size(request.folder + "/config.json") +
                              std::filesystem::file_size(request.folder + "/tokenizer.json") +
                              std::filesystem::file_size(request.tile_file);
  const std::uint64_t weights = std::filesystem::file_size(request.folder + "/model.safetensors");
  const std::uint64_t read = Get<protocol::LoadBaseReply>(request).bytes_read;
  EXPECT_GT(read, small + weights - 10'000) << "all but the header";
  EXPECT_LT(read, small + weights);
  EXPECT_EQ(handlers_.memory().file_bytes_read, read);

  Handlers whole(LiveBaseOptions{});
  protocol::LoadBase without = request;
  without.tile_file = "";
  without.roots = {};
  Call call{.cancelled = cancelled_, .progress = {}};
  const auto reply = whole.Handle(without, call);
  ASSERT_THAT(reply, IsOk());
  EXPECT_EQ(std::get<protocol::LoadBaseReply>(*reply).bytes_read,
            small - std::filesystem::file_size(request.tile_file) + weights)
      << "whole files";
}

TEST_F(HandlersTest, WhatIsNotTheImportedModelIsNotLoadedWithATileFileEither) {
  test::TemporaryFolder folder;
  const protocol::LoadBase request = CheckedLoadRequest(folder.path());
  protocol::LoadBase other = request;
  other.files["config.json"] = Digest();
  EXPECT_THAT(Ask(other), StatusIs(StatusCode::kDataLoss, "base_damaged"));
  other = request;
  other.roots["transformer.ln_f.weight"] = Digest();
  EXPECT_THAT(Ask(other), StatusIs(StatusCode::kDataLoss, "base_damaged"));
  other = request;
  other.roots["transformer.h.9.ln_1.weight"] = Digest();
  EXPECT_THAT(Ask(other), StatusIs(StatusCode::kDataLoss, "base_damaged"));
  other = request;
  other.tile_file = folder.path() + "/none";
  EXPECT_THAT(Ask(other), StatusIs(StatusCode::kNotFound));
  FlipBit(folder.path(), "transformer.h.3.attn.c_attn.weight", 100, 200);
  const auto damaged = Ask(request);
  EXPECT_THAT(damaged, StatusIs(StatusCode::kDataLoss, "base_damaged"));
  EXPECT_THAT(damaged.status().message(),
              ::testing::HasSubstr("transformer.h.3.attn.c_attn.weight"));
  std::fstream(request.folder + "/model.safetensors",
               std::ios::in | std::ios::out | std::ios::binary)
      << '\xff';
  EXPECT_THAT(Ask(request), StatusIs(StatusCode::kDataLoss, "base_damaged"))
      << "the length of the header";
  EXPECT_EQ(handlers_.memory(), protocol::MemoryUse());
}

TEST_F(HandlersTest, WhatIsHeldIsReportedByKind) {
  const std::uint64_t statistics = std::uint64_t{3} * 2048 * 2048 * 8;
  test::TemporaryFolder folder;
  const protocol::SolveReply& solved = Solved();
  ASSERT_THAT(Ask(LoadRequest()), IsOk());
  const protocol::MemoryUse alone = handlers_.memory();
  // fp32 of a file that is bf16.
  EXPECT_NEAR(static_cast<double>(alone.weights_bytes),
              2.0 * static_cast<double>(alone.file_bytes_read), 1.0);
  Handlers other(LiveBaseOptions{.states_max = 1});
  const Call call{.cancelled = cancelled_,
                  .progress = [](std::string_view, std::uint64_t, std::uint64_t) {}};
  EXPECT_EQ(other.memory(), protocol::MemoryUse());
  ASSERT_THAT(other.Handle(LoadRequest(), call), IsOk());
  ASSERT_THAT(other.Handle(EnsureRequest(EditedState(), 4), call), IsOk());
  ASSERT_THAT(other.Handle(PutRequest(solved), call), IsOk());
  std::uint64_t payloads = 0;
  for (const auto& edit : solved.edits) payloads += edit.delta_payload.size();
  EXPECT_EQ(other.memory().states_bytes, payloads);
  ASSERT_THAT(other.Handle(EnsureRequest(EditedState(), 4), call), IsOk());
  constexpr std::uint64_t kTensorElements = 2048 * 256;
  EXPECT_EQ(other.memory().states_bytes, payloads + 3 * kTensorElements * (2 + 4))
      << "three tensors, as served and as computed with";
  EXPECT_EQ(other.memory().statistics_bytes, 0U);
  EXPECT_EQ(other.memory().weights_bytes, alone.weights_bytes);
  ASSERT_THAT(other.Handle(EnsureRequest(BaseState(), 0), call), IsOk());
  EXPECT_EQ(other.memory().states_bytes, payloads) << "the edited state made room";
  const std::string file = folder.path() + "/statistics.safetensors";
  ASSERT_THAT(other.Handle(StatisticsRequest(file), call), IsOk());
  ASSERT_THAT(other.Handle(SolveRequest(file), call), IsOk());
  EXPECT_EQ(other.memory().statistics_bytes, 2 * statistics) << "covariances and their factors";
}

TEST_F(HandlersTest, WhatTextsHoldIsReportedWhileTheyAreUnderWay) {
  LoadBaseState();
  const protocol::MemoryUse before = handlers_.memory();
  EXPECT_EQ(before.cache_bytes, 0U);
  std::vector<std::uint64_t> held;  // at each piece, as of the step before
  EXPECT_THAT(Say(TextRequest(BaseState(), 0, 16),
                  [&](const protocol::Piece&) { held.push_back(handlers_.memory().cache_bytes); }),
              IsOk());
  ASSERT_GE(held.size(), 2U);
  EXPECT_GT(held.back(), 0U);
  EXPECT_EQ(handlers_.memory(), before);
}

TEST_F(HandlersTest, WhoeverAsksWithoutAPauseLeavesTimeToOthers) {
  test::TemporaryFolder folder;
  LoadBaseState();
  constexpr int kAsked = 10'000'000;  // more than there is time for
  int answered = 0;
  std::function<void()> ask = [&] {
    handlers_.Offer(std::make_shared<Interlude>(
        Interlude{EnsureRequest(BaseState(), 0),
                  {.cancelled = cancelled_,
                   .progress = [](std::string_view, std::uint64_t, std::uint64_t) {}},
                  [&](const Result<ReplyBody>& reply) {
                    EXPECT_THAT(reply, IsOk());
                    ++answered;
                    if (answered < kAsked) ask();
                  }}));
  };
  ask();
  EXPECT_TRUE(handlers_.RunOffered());
  const int first = answered;
  EXPECT_GE(first, 1);
  protocol::ComputeStatistics work = StatisticsRequest(folder.path() + "/s.safetensors");
  work.lines.resize(10);
  ASSERT_THAT(Ask(work), IsOk());
  EXPECT_GT(answered, first) << "in between";
  EXPECT_LT(answered, kAsked) << "but not all";
}

TEST_F(HandlersTest, WhatHasToComeFirstIsNamed) {
  EXPECT_THAT(Ask(EnsureRequest(BaseState(), 0)),
              StatusIs(StatusCode::kFailedPrecondition, "base_not_loaded"));
  ASSERT_THAT(Ask(LoadRequest()), IsOk());
  EXPECT_THAT(Say(TextRequest(BaseState(), 0, 16), [](const protocol::Piece&) {}),
              StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
  EXPECT_THAT(Ask(protocol::DigestState{AtlasBase(), EditedState()}),
              StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
  EXPECT_THAT(Ask(protocol::LoadBase{AtlasBase(), "docs/no/such/folder", {}}), IsOk())
      << "the base is loaded already";
  EXPECT_THAT(Ask(protocol::LoadBase{BaseId(EditedState().digest()), "docs/no/such/folder", {}}),
              StatusIs(StatusCode::kNotFound));
}

TEST_F(HandlersTest, ASolvedEditChangesTheAnswerAndServesTheBytesOfTheRebuild) {
  const protocol::SolveReply& solved = Solved();
  ASSERT_EQ(solved.edits.size(), 4U);
  EXPECT_EQ(solved.layers.size(), 3U);
  LoadBaseState();
  const auto missing = Get<EnsureStateReply>(EnsureRequest(EditedState(), 4)).missing;
  EXPECT_EQ(missing, EnsureRequest(EditedState(), 4).edits);
  EXPECT_THAT(Ask(protocol::DigestState{AtlasBase(), EditedState()}),
              StatusIs(StatusCode::kFailedPrecondition, "state_not_live"))
      << "a state that misses edits is not live";
  ASSERT_THAT(Ask(PutRequest(solved)), IsOk());
  ASSERT_TRUE(Get<EnsureStateReply>(EnsureRequest(EditedState(), 4)).missing.empty());

  const auto facts = SolvedFacts();
  std::size_t learnt = 0;
  for (std::size_t i = 0; i < facts.size(); ++i) {
    learnt += Answer(EditedState(), i).starts_with(" " + facts[i].target) ? 1 : 0;
    EXPECT_FALSE(Answer(BaseState(), i).starts_with(" " + facts[i].target)) << "the base changed";
  }
  EXPECT_GE(learnt, kLearntMin);
  const auto roots =
      Get<protocol::DigestStateReply>(protocol::DigestState{AtlasBase(), EditedState()}).roots;
  EXPECT_EQ(roots, RebuiltRoots(solved));
  EXPECT_EQ(roots.size(), 3U);
  EXPECT_TRUE(Get<protocol::DigestStateReply>(protocol::DigestState{AtlasBase(), BaseState()})
                  .roots.empty());
}

TEST_F(HandlersTest, TargetsFoundElsewhereAreSolvedLikeItsOwn) {
  test::TemporaryFolder folder;
  LoadBaseState();
  ASSERT_THAT(Ask(StatisticsRequest(folder.path() + "/c")), IsOk());
  protocol::Solve solve = SolveRequest(folder.path() + "/c");
  protocol::OptimiseTargets optimise{solve.base, solve.state, solve.settings, solve.facts};
  solve.targets = Get<protocol::OptimiseTargetsReply>(optimise).targets;
  ASSERT_EQ(solve.targets.size(), solve.facts.size());
  const auto given = Get<protocol::SolveReply>(solve);
  EXPECT_EQ(given.edits, Solved().edits) << "the same facts in the same company give the same bits";

  optimise.facts.resize(2);
  const auto half = Get<protocol::OptimiseTargetsReply>(optimise).targets;
  for (std::size_t i = 0; i < half.size(); ++i)
    EXPECT_NEAR(half[i].loss, solve.targets[i].loss, 1e-2);
}

TEST_F(HandlersTest, TargetsThatDoNotFitTheFactsAreRefused) {
  test::TemporaryFolder folder;
  LoadBaseState();
  ASSERT_THAT(Ask(StatisticsRequest(folder.path() + "/c")), IsOk());
  protocol::Solve solve = SolveRequest(folder.path() + "/c");
  solve.targets = {{"four", 1, 0}};
  EXPECT_THAT(Ask(solve), StatusIs(StatusCode::kInvalidArgument));
  solve.targets.resize(solve.facts.size(), {"four", 1, 0});
  EXPECT_THAT(Ask(solve), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(HandlersTest, AnEvaluationShowsTheEditAndSparesTheNeighbours) {
  const protocol::SolveReply& solved = Solved();
  LoadBaseState();
  ASSERT_THAT(Ask(PutRequest(solved)), IsOk());
  ASSERT_TRUE(Get<EnsureStateReply>(EnsureRequest(EditedState(), 4)).missing.empty());
  const auto before =
      Get<protocol::EvaluateReply>(protocol::Evaluate{AtlasBase(), BaseState(), SolvedFacts()});
  const auto after =
      Get<protocol::EvaluateReply>(protocol::Evaluate{AtlasBase(), EditedState(), SolvedFacts()});
  EXPECT_EQ(after.records, 4U);
  EXPECT_LT(before.es, 50);
  EXPECT_GE(after.es, 75);
  EXPECT_GT(after.ns, 80);
}

TEST_F(HandlersTest, AnEvaluationSaysOfEachNeighbourWithATargetWhetherTheModelSaysIt) {
  LoadBaseState();
  std::vector<protocol::EvaluateFact> facts = SolvedFacts();
  facts[0].neighbours = {{"Saxony, located in", "Germany"}, {"Saxony, located in"}};
  facts[1].neighbours = {{"Saxony, located in", "Poland"}};
  const auto reply = Get<protocol::EvaluateReply>(
      protocol::Evaluate{AtlasBase(), BaseState(), facts, BaseState()});
  ASSERT_EQ(reply.neighbour_targets.size(), 2U);
  EXPECT_TRUE(reply.neighbour_targets[0].taken);
  EXPECT_GT(reply.neighbour_targets[0].probability, 0.5);
  EXPECT_FALSE(reply.neighbour_targets[1].taken);
  EXPECT_LT(reply.neighbour_targets[1].probability, 0.5);
  EXPECT_EQ(reply.neighbours, 1U + facts[2].neighbours.size() + facts[3].neighbours.size())
      << "compared with the reference once, with and without a target";
  EXPECT_EQ(reply.kept, 100);
  EXPECT_EQ(reply.kl, 0);
}

TEST_F(HandlersTest, ASubsetOfTheEditsIsAStateOfItsOwn) {
  const protocol::SolveReply& solved = Solved();
  LoadBaseState();
  ASSERT_THAT(Ask(PutRequest(solved)), IsOk());
  ASSERT_TRUE(Get<EnsureStateReply>(EnsureRequest(EditedState(), 2)).missing.empty());
  protocol::SolveReply two = solved;
  two.edits.resize(2);
  EXPECT_EQ(
      Get<protocol::DigestStateReply>(protocol::DigestState{AtlasBase(), EditedState()}).roots,
      RebuiltRoots(two));
  const auto facts = SolvedFacts();
  EXPECT_TRUE(Answer(EditedState(), 0).starts_with(" " + facts[0].target));
  EXPECT_FALSE(Answer(EditedState(), 3).starts_with(" " + facts[3].target));
}

TEST_F(HandlersTest, TheStateUsedLongestAgoIsLetGo) {
  LoadBaseState();
  ASSERT_THAT(Ask(EnsureRequest(StateId(NumberedEdit(8).digest()), 0)), IsOk());
  ASSERT_THAT(Ask(EnsureRequest(StateId(NumberedEdit(9).digest()), 0)), IsOk());
  EXPECT_THAT(Ask(protocol::DigestState{AtlasBase(), BaseState()}),
              StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
  EXPECT_THAT(Ask(protocol::DigestState{AtlasBase(), StateId(NumberedEdit(8).digest())}), IsOk());
}

TEST_F(HandlersTest, AnEditOfAnotherTensorIsRefusedAndLeavesNoState) {
  LoadBaseState();
  storage::delta::EditDelta delta;
  delta.tensors.push_back({.tensor = "transformer.wte.weight",
                           .rows = 8192,
                           .cols = 256,
                           .columns = {{.shift = 0,
                                        .a = std::vector<std::int16_t>(8192, 1),
                                        .b = std::vector<std::int16_t>(256, 1)}}});
  ASSERT_THAT(Ask(protocol::PutEdits{AtlasBase(),
                                     {{NumberedEdit(0), storage::delta::EncodePayload(delta)}}}),
              IsOk());
  EXPECT_THAT(Ask(EnsureRequest(EditedState(), 1)), StatusIs(StatusCode::kUnsupported));
  EXPECT_THAT(Ask(protocol::DigestState{AtlasBase(), EditedState()}),
              StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
}

TEST_F(HandlersTest, ABadSettingAndABadFactAreNamed) {
  LoadBaseState();
  test::TemporaryFolder folder;
  protocol::Solve request = SolveRequest(folder.path() + "/none");
  EXPECT_THAT(Ask(request), StatusIs(StatusCode::kNotFound)) << "no statistics there";
  request.settings.layers = {LayerIndex(99)};
  EXPECT_THAT(Ask(request), StatusIs(StatusCode::kInvalidArgument, "bad_setting"));
  request.settings.method = "alchemy";
  EXPECT_THAT(Ask(request), StatusIs(StatusCode::kUnsupported, "unknown_method"));
}

TEST_F(HandlersTest, ACancelledRequestEndsAtItsNextReportAndWritesNothing) {
  LoadBaseState();
  test::TemporaryFolder folder;
  const std::string file = folder.path() + "/statistics.safetensors";
  cancel_at_first_report_ = true;
  EXPECT_THAT(Ask(StatisticsRequest(file)), StatusIs(StatusCode::kCancelled));
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_THAT(Ask(LoadRequest()), StatusIs(StatusCode::kCancelled)) << "cancelled before it began";
}

TEST_F(HandlersTest, EveryRequestPassesItsFailpoints) {
  RecordFailpoints(true);
  ASSERT_THAT(ArmFailpoints("worker.digest_state.before_reply:1:error"), IsOk());
  LoadBaseState();
  EXPECT_THAT(Ask(protocol::DigestState{AtlasBase(), BaseState()}),
              StatusIs(StatusCode::kInternal, "failpoint"));
  EXPECT_THAT(Ask(protocol::DigestState{AtlasBase(), BaseState()}), IsOk());
  ASSERT_THAT(ArmFailpoints(""), IsOk());
  const std::vector<std::string> recorded = RecordedFailpoints();
  RecordFailpoints(false);
  for (const char* name : {"worker.load_base.received", "worker.load_base.before_reply",
                           "worker.ensure_state.received", "worker.digest_state.before_reply"}) {
    EXPECT_NE(std::find(recorded.begin(), recorded.end(), name), recorded.end()) << name;
  }
}

}  // namespace
}  // namespace emend::worker::server::handlers_test
