// How an operation ends that is not carried out: its time is up, or its end cannot be recorded.
#include "tests/coordinator/jobs/job_queue_fixture.h"

namespace emend::coordinator::jobs::job_ends_test {
namespace {

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
  const OperationId late = Submit("commit", CommitBody({"Ann"}, "chess"),
                                  {.priority = Priority::kBatch, .timeout = 30s});
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

TEST_F(JobQueueTest, AnEndThatCannotBeRecordedIsToldOnceItIs) {
  const OperationId bad = Submit("commit", CommitBody({"Bad"}, "whist"), {.timeout = 10s});
  ASSERT_TRUE(cluster_.sim().RunUntil([this] { return solves_.size() == 1; }, 1min));
  cluster_.store().FailNextWrites(1000, {StatusCode::kResourceExhausted, "disk_full", "no room"});
  cluster_.sim().RunFor(15s);
  EXPECT_EQ(State(bad), OperationState::kRunning);
  EXPECT_THAT(View(bad).progress.phase, HasSubstr("waiting to record its end: no room"));
  EXPECT_THAT(Cancel(bad), StatusIs(StatusCode::kResourceExhausted, "disk_full"))
      << "too late, as its caller hears in the end";
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

}  // namespace
}  // namespace emend::coordinator::jobs::job_ends_test
