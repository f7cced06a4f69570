// Who runs beside whom, who is next, how many may wait.
#include "tests/coordinator/jobs/job_queue_fixture.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_kv.h"
#include "tests/support/memory_transport.h"

namespace emend::coordinator::jobs::job_queue_test {
namespace {

// ---- Several at once ---------------------------------------------------------------------------

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

TEST_F(JobQueueTest, ASolveIsToldWhatTheBranchsEditsAreKeyedByForAsLongAsItTakes) {
  ResultOf(Submit("commit", CommitBody({"Ann"}, "chess")));
  ResultOf(Submit("commit", CommitBody({"Bob"}, "go")));
  json as_published = CommitBody({"Cid"}, "whist");
  as_published["settings"]["past_keys"] = 0;
  ResultOf(Submit("commit", as_published));
  ASSERT_EQ(solves_.size(), 3U);
  EXPECT_EQ(solves_[0].past_keys_file, "") << "the branch has no edits";
  EXPECT_TRUE(solves_[1].had_past_keys);
  EXPECT_FALSE(std::filesystem::exists(solves_[1].past_keys_file));
  EXPECT_EQ(solves_[2].past_keys_file, "");
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
  for (int i = 0; i < 3; ++i)
    few.push_back(Submit("commit", CommitBody({"Ann"}, "chess " + std::to_string(i)), other));
  for (const OperationId& id : few) ResultOf(id);
  const auto ended =
      std::ranges::count_if(many, [this](const OperationId& id) { return HasEnded(id); });
  EXPECT_LE(ended, 5)
      << "by turns: three of the latecomer, three of the first, and two that had begun";
  EXPECT_GE(ended, 2);
}

TEST_F(JobQueueTest, UrgentOnesPassAndPlacesSaySo) {
  Diverge("left");
  Diverge("right");
  const OperationId running = Submit("commit", CommitBody({"Ann"}, "chess", "left"));
  const OperationId also_running = Submit("commit", CommitBody({"Ann"}, "chess", "right"));
  const OperationId batch =
      Submit("evaluation", {{"revision", "main"}, {"facts", Facts({"Ann"}, "chess")}},
             {.priority = Priority::kBatch});
  const OperationId normal =
      Submit("evaluation", {{"revision", "main"}, {"facts", Facts({"Ann"}, "chess")}});
  const OperationId urgent =
      Submit("evaluation", {{"revision", "main"}, {"facts", Facts({"Ann"}, "chess")}},
             {.priority = Priority::kInteractive});
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

// ---- Bounds ------------------------------------------------------------------------------------

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
  test::MemoryFileSystem files_;
  std::unique_ptr<test::MemoryKv> store_ = test::NewMemoryKv();
  std::unique_ptr<storage::records::Journal> journal_ =
      storage::records::Journal::Open(*store_, files_, sim_.clock(), "anchor").value();
  std::unique_ptr<test::MemoryNetwork> network_ = test::NewMemoryNetwork(sim_, {});
  std::unique_ptr<worker::protocol::Transport> host_ = network_->Host("coordinator");
  std::unique_ptr<membership::Membership> membership_ = membership::NewMembership(sim_, *host_, {});
  core::StoreLayout layout_;
  JobContext context_{sim_, files_, *store_, *journal_, *membership_, layout_};
  JobQueue queue_{context_, operations::Kinds()};
  int next_ = 0;
};

TEST_F(JobQueueBoundsTest, ARepoHasHalfOfTheQueueAndAllTogetherTheWhole) {
  Fill("greedy", kQueueOfRepoMax);
  EXPECT_THAT(queue_.Admit("greedy").status(),
              StatusIs(StatusCode::kResourceExhausted, "queue_full"));
  Fill("modest", 10);
  Fill("third", kQueueMax - kQueueOfRepoMax - 10);
  EXPECT_THAT(queue_.Admit("modest").status(),
              StatusIs(StatusCode::kResourceExhausted, "queue_full"));
  EXPECT_THAT(queue_.Admit("modest").status().message(), HasSubstr("1024 wait"));
}

TEST_F(JobQueueBoundsTest, APlaceIsTakenUntilItIsGivenBack) {
  Fill("greedy", kQueueOfRepoMax - 1);
  {
    const Result<JobQueue::Place> last = queue_.Admit("greedy");
    ASSERT_THAT(last.status(), IsOk());
    EXPECT_THAT(queue_.Admit("greedy").status(),
                StatusIs(StatusCode::kResourceExhausted, "queue_full"));
  }
  EXPECT_THAT(queue_.Admit("greedy").status(), IsOk());
}

}  // namespace
}  // namespace emend::coordinator::jobs::job_queue_test
