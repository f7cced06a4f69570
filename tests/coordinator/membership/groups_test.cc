// Groups of several ranks: formed when all are there, called through rank 0, ended and formed again
// by a loss.
#include <algorithm>

#include "tests/coordinator/membership/membership_fixture.h"

namespace emend::coordinator::membership::groups_test {
namespace {

class GroupsTest : public MembershipTest {
 protected:
  FakeWorker& Rank(std::int32_t rank, std::int32_t world_size = 2, std::string group = "g0") {
    return Join({.name = group + "." + std::to_string(rank),
                 .group = group,
                 .rank = rank,
                 .world_size = world_size});
  }
  void Form() {
    Rank(0);
    Rank(1);
    ASSERT_THAT(Pick(StateOf(1)), IsOkAndHolds(WorkerId("g0.0")));
  }
  static int Count(const FakeWorker& worker, const std::string& name) {
    return static_cast<int>(std::ranges::count(worker.requests(), name));
  }
  FakeWorker& worker(std::size_t rank) { return *workers_[rank]; }
};

TEST_F(GroupsTest, AGroupServesThroughRankZeroOnceAllAreThere) {
  Rank(1);
  EXPECT_THAT(Pick(StateOf(1)), StatusIs(StatusCode::kUnavailable, "no_worker"));
  EXPECT_NE(Pick(StateOf(1)).status().message().find("of group g0 1 of 2 ranks are there"),
            std::string::npos);
  Rank(0);
  EXPECT_THAT(Pick(StateOf(1)), IsOkAndHolds(WorkerId("g0.0")));
  ASSERT_THAT(Call(), IsOk());
  EXPECT_EQ(Count(worker(1), "probe_ranks"), 1) << "rank 0 joined second";
  EXPECT_EQ(Count(worker(0), "probe_ranks"), 0);
  EXPECT_EQ(Count(worker(0), "follow"), 1);
  EXPECT_THAT(Call({.worker = WorkerId("g0.1")}),
              StatusIs(StatusCode::kUnavailable, "worker_lost"));
}

TEST_F(GroupsTest, ALostRankEndsTheCallAndTheGroupFormsAgainUnderAHigherGeneration) {
  Form();
  const std::uint64_t before = Info("g0.0").generation;
  worker(0).OnRequest([](const RequestBody&) -> Result<ReplyBody> {
    return Unavailable("never answered in this test");
  });
  const Outcome call = Begin();
  sim_.RunFor(5ms);
  worker(1).Die();
  EXPECT_THAT(Finish(call, 5s), StatusIs(StatusCode::kUnavailable, "worker_lost"));
  worker(0).OnRequest([](const RequestBody&) -> Result<ReplyBody> {
    return ReplyBody(SampleTextsReply{{"again"}, 1, {}});
  });
  ASSERT_THAT(Pick(StateOf(1), 10s), IsOkAndHolds(WorkerId("g0.0")));
  EXPECT_GT(Info("g0.0").generation, before);
  EXPECT_EQ(Info("g0.0").generation, Info("g0.1").generation);
  EXPECT_EQ(persisted_.at("g0"), Info("g0.0").generation) << "written down before it was used";
  EXPECT_THAT(Call(), IsOk());
}

TEST_F(GroupsTest, ALostLeaderIsReplacedByItsNextSelf) {
  Form();
  worker(0).Die();
  sim_.RunFor(50ms);
  EXPECT_THAT(Pick(StateOf(1), 10s), IsOkAndHolds(WorkerId("g0.0")));
  sim_.RunFor(50ms);
  EXPECT_EQ(Count(worker(1), "follow"), 2);
}

TEST_F(GroupsTest, RanksThatLoseEachOtherFormAgainWithoutAnyDialling) {
  Form();
  const int joins = worker(0).joins() + worker(1).joins();
  worker(1).LoseGroup();
  sim_.RunFor(2s);
  EXPECT_THAT(Pick(StateOf(1), 10s), IsOkAndHolds(WorkerId("g0.0")));
  EXPECT_EQ(Count(worker(1), "follow"), 2);
  EXPECT_EQ(worker(0).joins() + worker(1).joins(), joins);

  worker(0).OnRequest([](const RequestBody&) -> Result<ReplyBody> {
    return Status(StatusCode::kUnavailable, "group_lost", "rank 1 is gone");
  });
  EXPECT_THAT(Call(), StatusIs(StatusCode::kUnavailable, "worker_lost"))
      << "for the caller it is the worker that was lost";
  sim_.RunFor(2s);
  EXPECT_EQ(Count(worker(1), "follow"), 3);
}

TEST_F(GroupsTest, AGroupThatStandsIsTakenUpWhenAConnectionComesBack) {
  Form();
  const Outcome call = Begin();
  sim_.RunFor(5ms);
  const int joins = worker(1).joins();
  network_->Cut("g0.1");
  EXPECT_THAT(Finish(call, 5s), StatusIs(StatusCode::kUnavailable, "worker_lost"));
  ASSERT_THAT(Pick(StateOf(1), 10s), IsOkAndHolds(WorkerId("g0.0")));
  EXPECT_EQ(worker(1).joins(), joins + 1);
  EXPECT_EQ(Count(worker(0), "open_line"), 1) << "the ranks have not lost each other";
  EXPECT_EQ(Count(worker(1), "join_group"), 1);
  EXPECT_EQ(persisted_.at("g0"), Info("g0.0").generation);
  EXPECT_EQ(Info("g0.0").generation, Info("g0.1").generation);
  EXPECT_THAT(Call(), IsOk());
  // What breaks between them is heard of as ever.
  worker(1).LoseGroup();
  sim_.RunFor(2s);
  EXPECT_EQ(Count(worker(0), "open_line"), 2);
  EXPECT_THAT(Call(), IsOk());
}

TEST_F(GroupsTest, ACoordinatorThatStartsAnewTakesUpTheGroupsThatStand) {
  Form();
  sim_.Await(Ended(membership_->Stop()));
  SetUp();
  ASSERT_THAT(Pick(StateOf(1), 10s), IsOkAndHolds(WorkerId("g0.0")));
  sim_.RunFor(50ms);
  EXPECT_EQ(Count(worker(0), "adopt_group"), 2);
  EXPECT_EQ(Count(worker(0), "open_line"), 1);
  EXPECT_EQ(Count(worker(1), "follow"), 2);
  EXPECT_THAT(Call(), IsOk());
}

// Rank 0 often knows first: the group is about to form again with a rank of which nobody has heard
// yet that it is gone.
TEST_F(GroupsTest, ARankThatIsLostWhileTheGroupFormsIsNotWaitedFor) {
  Form();
  worker(0).OnRequest([](const RequestBody&) -> Result<ReplyBody> {
    return Status(StatusCode::kUnavailable, "group_lost", "rank 1 is gone");
  });
  for (int ms = 0; ms < 20; ++ms) {
    const Outcome call = Begin();
    sim_.RunFor(std::chrono::milliseconds(ms));
    worker(1).Die();
    EXPECT_THAT(Finish(call, 5s), StatusIs(StatusCode::kUnavailable, "worker_lost"));
    EXPECT_THAT(Pick(StateOf(1), 10s), IsOkAndHolds(WorkerId("g0.0")))
        << "lost after " << ms << " ms";
    sim_.RunFor(1s);
  }
}

TEST_F(GroupsTest, ARankThatDoesNotFitIsRefused) {
  Form();
  FakeWorker& taken = Dial({.name = "second", .rank = 1, .world_size = 2, .redial = false});
  FakeWorker& larger = Dial({.name = "larger", .rank = 2, .world_size = 3, .redial = false});
  FakeWorker& outside =
      Dial({.name = "outside", .group = "g1", .rank = 2, .world_size = 2, .redial = false});
  sim_.RunFor(1s);
  EXPECT_EQ(taken.refusal().value().slug, "rank_taken");
  EXPECT_EQ(larger.refusal().value().slug, "other_world_size");
  EXPECT_EQ(outside.refusal().value().slug, "invalid_argument");
  EXPECT_THAT(Call(), IsOk()) << "the group goes on";
}

TEST_F(GroupsTest, TwoGroupsServeSideBySideAndOneIsEnough) {
  Form();
  Rank(0, 2, "g1");
  Rank(1, 2, "g1");
  worker(1).Die();
  worker(0).Die();
  sim_.RunFor(50ms);
  EXPECT_THAT(Pick(StateOf(1)), IsOkAndHolds(WorkerId("g1.0")));
  EXPECT_THAT(Call(), IsOk());
}

}  // namespace
}  // namespace emend::coordinator::membership::groups_test
