#include "coordinator/jobs/worker_lease.h"

#include "tests/support/sim_runtime.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::jobs::worker_lease_test {
namespace {

using membership::WorkerInfo;
using test::IsOkAndHolds;
using test::StatusIs;

// Picks what it is told to.
class FixedPool final : public membership::WorkerPool {
 public:
  Awaitable<Result<WorkerId>> Pick(membership::Wanted, SteadyTime) override { co_return picked; }
  Awaitable<Result<worker::protocol::ReplyBody>> Call(worker::protocol::RequestBody,
                                                      membership::CallOptions options) override {
    co_return Status(StatusCode::kUnavailable, "worker_lost", options.worker.value());
  }
  std::vector<WorkerInfo> Workers() const override { return workers; }
  std::vector<WorkerId> Spare(const BaseId&) const override { return spare; }

  void Add(const std::string& name) {
    WorkerInfo worker;
    worker.worker = WorkerId(name);
    worker.serves = true;
    workers.push_back(worker);
  }

  Result<WorkerId> picked = WorkerId("w0");
  std::vector<WorkerInfo> workers;
  std::vector<WorkerId> spare;
};

class WorkerLeaseTest : public testing::Test {
 protected:
  Result<WorkerId> Pick(WorkerLease& lease) {
    return *sim_.Await(lease.Pick(wanted_, sim_.clock().Now()));
  }

  test::SimRuntime sim_{1};
  FixedPool pool_;
  membership::Wanted wanted_;
  WorkerLease::Table table_;
};

TEST_F(WorkerLeaseTest, WorkersOfOtherRunsAreNotSpare) {
  for (const char* name : {"w0", "w1", "w2"}) pool_.Add(name);
  pool_.spare = {WorkerId("w0"), WorkerId("w1"), WorkerId("w2")};
  WorkerLease first(pool_, table_);
  WorkerLease second(pool_, table_);
  EXPECT_THAT(Pick(first), IsOkAndHolds(WorkerId("w0")));
  EXPECT_THAT(Pick(second), IsOkAndHolds(WorkerId("w1")));
  EXPECT_EQ(first.Spare(BaseId()), std::vector{WorkerId("w2")});
}

TEST_F(WorkerLeaseTest, OneThatIsSpareForTheBaseIsTakenBeforeOthers) {
  for (const char* name : {"w0", "w1", "w2"}) pool_.Add(name);
  pool_.spare = {WorkerId("w0"), WorkerId("w2")};
  WorkerLease first(pool_, table_);
  WorkerLease second(pool_, table_);
  EXPECT_THAT(Pick(first), IsOkAndHolds(WorkerId("w0")));
  EXPECT_THAT(Pick(second), IsOkAndHolds(WorkerId("w2")));
}

TEST_F(WorkerLeaseTest, RunsGetDifferentWorkersWhileThereAreSome) {
  for (const char* name : {"w0", "w1"}) pool_.Add(name);
  WorkerLease first(pool_, table_);
  WorkerLease third(pool_, table_);
  EXPECT_THAT(Pick(first), IsOkAndHolds(WorkerId("w0")));
  {
    WorkerLease second(pool_, table_);
    EXPECT_THAT(Pick(second), IsOkAndHolds(WorkerId("w1")));
    EXPECT_THAT(Pick(third), IsOkAndHolds(WorkerId("w0"))) << "shared: there is none left";
  }
  EXPECT_THAT(Pick(third), IsOkAndHolds(WorkerId("w1"))) << "the second has given it back";
}

TEST_F(WorkerLeaseTest, WhoPicksAgainKeepsNoOtherWaiting) {
  for (const char* name : {"w0", "w1"}) pool_.Add(name);
  WorkerLease first(pool_, table_);
  WorkerLease second(pool_, table_);
  EXPECT_THAT(Pick(first), IsOkAndHolds(WorkerId("w0")));
  pool_.picked = WorkerId("w1");
  EXPECT_THAT(Pick(first), IsOkAndHolds(WorkerId("w1")));
  pool_.picked = WorkerId("w0");
  EXPECT_THAT(Pick(second), IsOkAndHolds(WorkerId("w0")));
  EXPECT_EQ(table_.size(), 2U);
}

TEST_F(WorkerLeaseTest, OnlyWhoServesIsOfferedAndWhoFailedLast) {
  for (const char* name : {"w0", "rank1", "w2", "w3"}) pool_.Add(name);
  pool_.workers[1].serves = false;
  WorkerLease first(pool_, table_);
  WorkerLease second(pool_, table_);
  EXPECT_THAT(Pick(first), IsOkAndHolds(WorkerId("w0")));
  EXPECT_THAT(Pick(second), IsOkAndHolds(WorkerId("w2")));
  EXPECT_THAT(Pick(second), IsOkAndHolds(WorkerId("w3"))) << "it asks again: w2 has failed it";
  pool_.workers.pop_back();
  EXPECT_THAT(Pick(second), IsOkAndHolds(WorkerId("w2"))) << "rather than share";
}

TEST_F(WorkerLeaseTest, WithoutAWorkerItSaysSo) {
  pool_.picked = Status(StatusCode::kUnavailable, "no_worker", "none joined");
  WorkerLease lease(pool_, table_);
  EXPECT_THAT(Pick(lease), StatusIs(StatusCode::kUnavailable, "no_worker"));
  EXPECT_TRUE(table_.empty());
}

}  // namespace
}  // namespace emend::coordinator::jobs::worker_lease_test
