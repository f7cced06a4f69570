// A worker that serves other bytes than it should is taken out and loads the model again.
#include "tests/coordinator/jobs/job_queue_fixture.h"

namespace emend::coordinator::operations::live_check_test {
namespace {

using namespace jobs;

class LiveCheckTest : public JobQueueTest {
 protected:
  void DamageAll(int builds) {
    for (std::size_t i = 0; i < cluster_.workers(); ++i)
      cluster_.worker(i).model.Damage("transformer.h.1.mlp.c_proj.weight", builds);
  }
  std::size_t Count(const std::string& request) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < cluster_.workers(); ++i)
      count += static_cast<std::size_t>(
          std::ranges::count(cluster_.worker(i).worker->requests(), request));
    return count;
  }
  json Verify() { return json::parse(cluster_.Run("verify", {{"revision", "main"}}).result); }
};

TEST_F(LiveCheckTest, ACommitIsSolvedAgainOnAWorkerThatLoadedAnew) {
  DamageAll(1);
  const std::size_t loads = Count("load_base");
  const json result = ResultOf(Submit("commit", CommitBody({"Ann"}, "chess")));
  EXPECT_EQ(result["edits"], 1);
  EXPECT_GE(Count("forget_base"), 1U);
  EXPECT_GT(Count("load_base"), loads);
  EXPECT_THAT(Messages(), ElementsAre("about Ann", "Import a small model"));
  ExpectStoreIsSound();
}

TEST_F(LiveCheckTest, AWorkerThatIsNeverRightNamesRankAndTile) {
  DamageAll(1000);
  const Operation ended = Follow(Submit("commit", CommitBody({"Ann"}, "chess")));
  EXPECT_EQ(ended.state, OperationState::kFailed);
  EXPECT_EQ(ended.error_slug, "live_bytes_differ");
  EXPECT_THAT(
      ended.error_message,
      HasSubstr(
          "live tensor \"transformer.h.1.mlp.c_proj.weight\": the worker serves other bytes"));
  EXPECT_THAT(ended.error_message,
              HasSubstr("; rank 0 of 1 differs, first at tile 1 of 2; worker w"));
  EXPECT_THAT(ended.error_message, HasSubstr(" was taken out and loads the model anew"));
  EXPECT_EQ(Count("forget_base"), static_cast<std::size_t>(kAttemptsMax));
  EXPECT_EQ(Messages().size(), 1U);
}

TEST_F(LiveCheckTest, VerifySaysWhatItFoundAndTheNextFindsItMended) {
  ResultOf(Submit("commit", CommitBody({"Ann"}, "chess")));
  for (std::size_t i = 0; i < cluster_.workers(); ++i) cluster_.worker(i).model.Forget();
  DamageAll(1);
  const json found = Verify();
  EXPECT_EQ(found["ok"], false);
  EXPECT_THAT(found.dump(), HasSubstr("rank 0 of 1 differs, first at tile 1 of 2"));
  EXPECT_EQ(Verify()["ok"], true);
}

TEST_F(LiveCheckTest, WhatARankFoundOutByItselfIsMendedTheSameWay) {
  std::size_t damaged = 1;
  for (std::size_t i = 0; i < cluster_.workers(); ++i) {
    cluster_.worker(i).worker->OnRequest(
        [this, i, &damaged](const RequestBody& request) -> Result<ReplyBody> {
          if (std::holds_alternative<worker::protocol::DigestState>(request) && damaged > 0) {
            --damaged;
            return Status(StatusCode::kDataLoss, "live_bytes_damaged",
                          "rank 1 of 2: it computes with others");
          }
          return Answer(i, request);
        });
  }
  ResultOf(Submit("commit", CommitBody({"Ann"}, "chess")));
  EXPECT_EQ(Count("forget_base"), 1U);
  damaged = 1;
  const Operation ended = cluster_.Run("verify", {{"revision", "main"}});
  EXPECT_EQ(ended.error_slug, "live_bytes_damaged");
  EXPECT_THAT(ended.error_message, HasSubstr("rank 1 of 2: it computes with others; worker w"));
  EXPECT_EQ(Verify()["ok"], true);
}

}  // namespace
}  // namespace emend::coordinator::operations::live_check_test
