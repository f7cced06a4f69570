// What the NCCL back end makes of every way in which NCCL fails, over the stand-in of fake_nccl.cc.
// Ranks are threads.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "tests/support/status_matchers.h"
#include "tests/worker/collective/fake_nccl.h"
#include "tests/worker/collective/rank_group.h"
#include "worker/collective/nccl_communicator.h"

namespace emend::worker::collective::nccl_test {
namespace {

using namespace std::chrono_literals;
using test::IsOk;
using test::NcclFault;
using test::StatusIs;
using testing::HasSubstr;

const test::FakeNccl& Fake() {
  static const test::FakeNccl fake(EMEND_TEST_NCCL);
  return fake;
}
const NcclPaths kFake{EMEND_TEST_NCCL, EMEND_TEST_NCCL};

class NcclTest : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(Fake().open(), 0) << "a communicator was left behind";
    for (int rank = 0; rank < 4; ++rank) Fail(rank, NcclFault::kNone);
    Fake().version(22809);
  }

  static void Fail(int rank, NcclFault fault) { Fake().fail(rank, fault); }

  void OnEachRank(int ranks, const std::function<void(Communicator&)>& act) const {
    LineOptions line_options;
    line_options.generation = 7;
    test::OnEachLine(ranks, line_options, [&](std::unique_ptr<Line> line) {
      ASSERT_OK_AND_ASSIGN(const auto communicator, NewNcclCommunicator(std::move(line), options_));
      act(*communicator);
    });
  }

  // Forming the group ends like this on every rank.
  void ExpectNoGroup(
      int ranks, const testing::Matcher<const Status&>& matcher,
      const std::function<void(int)>& prepare = [](int) {}) const {
    test::OnEachLine(ranks, {}, [&](std::unique_ptr<Line> line) {
      prepare(line->rank());
      EXPECT_THAT(NewNcclCommunicator(std::move(line), options_).status(), matcher);
    });
  }

  NcclOptions options_{.device = at::kCPU,
                       .device_index = 0,
                       .call_timeout = 20s,
                       .form_timeout = 20s,
                       .paths = kFake};
};

Status SumOf(Communicator& communicator) {
  at::Tensor tensor = at::ones({100}, at::kFloat);
  return communicator.AllReduceSum(tensor);
}

TEST_F(NcclTest, OldAndForeignVersionsAreRefusedByName) {
  EXPECT_EQ(NcclVersionText(2708), "2.7.8");
  EXPECT_EQ(NcclVersionText(22809), "2.28.9");
  for (const int version : {2708, 22605, 30000}) {
    Fake().version(version);
    const Status status = NcclLibrary::Open(kFake).status();
    EXPECT_THAT(status, StatusIs(StatusCode::kUnsupported, "nccl_version"));
    EXPECT_THAT(status.message(), HasSubstr("found NCCL " + NcclVersionText(version) +
                                            ", expected 2.27.0 or newer of major version 2"));
  }
  Fake().version(23007);
  ASSERT_OK_AND_ASSIGN(const auto library, NcclLibrary::Open(kFake));
  EXPECT_EQ(library->version(), "2.30.7");
}

TEST_F(NcclTest, AMissingLibraryOrFunctionIsNamed) {
  const Status absent =
      NcclLibrary::Open({.nccl = "libnccl-that-is-not-there.so", .cuda_runtime = EMEND_TEST_NCCL})
          .status();
  EXPECT_THAT(absent, StatusIs(StatusCode::kFailedPrecondition, "nccl_missing"));
  EXPECT_THAT(absent.message(), HasSubstr("libnccl-that-is-not-there.so"));
  const Status other =
      NcclLibrary::Open({.nccl = "libm.so.6", .cuda_runtime = EMEND_TEST_NCCL}).status();
  EXPECT_THAT(other, StatusIs(StatusCode::kFailedPrecondition, "nccl_missing"));
  EXPECT_THAT(other.message(), HasSubstr("ncclGetVersion"));
  const Status no_cuda =
      NcclLibrary::Open({.nccl = EMEND_TEST_NCCL, .cuda_runtime = "libcudart-that-is-not-there.so"})
          .status();
  EXPECT_THAT(no_cuda, StatusIs(StatusCode::kFailedPrecondition, "nccl_missing"));
}

TEST_F(NcclTest, AnOldVersionOnOneRankIsTheAnswerOfAll) {
  ExpectNoGroup(3, StatusIs(StatusCode::kUnsupported, "nccl_version"),
                [](int rank) { Fake().version_here(rank == 2 ? 21805 : 0); });
}

TEST_F(NcclTest, VersionsThatDifferAreRefused) {
  ExpectNoGroup(2, StatusIs(StatusCode::kFailedPrecondition, "nccl_versions_differ"),
                [](int rank) { Fake().version_here(rank == 1 ? 22907 : 0); });
}

TEST_F(NcclTest, ARankThatNeverGetsInEndsTheFormingAtTheDeadline) {
  options_.form_timeout = 300ms;
  Fail(1, NcclFault::kInitHang);
  test::OnEachLine(2, {}, [&](std::unique_ptr<Line> line) {
    const Status status = NewNcclCommunicator(std::move(line), options_).status();
    // The second to notice sees the first one's connection closed.
    if (status.slug() != "group_lost") {
      EXPECT_THAT(status, StatusIs(StatusCode::kDeadlineExceeded, "collective_timeout"));
    }
    EXPECT_THAT(status.message(), HasSubstr("forming the group"));
  });
}

TEST_F(NcclTest, TwoRanksOnOneGpuAreToldWhatToDo) {
  Fail(0, NcclFault::kDuplicateGpu);
  Fail(1, NcclFault::kDuplicateGpu);
  test::OnEachLine(2, {}, [&](std::unique_ptr<Line> line) {
    const Status status = NewNcclCommunicator(std::move(line), options_).status();
    EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, "group_lost"));
    EXPECT_THAT(status.message(), HasSubstr("NCCL_HOSTID"));
  });
}

TEST_F(NcclTest, ARankThatHangsEndsAllByTheDeadline) {
  options_.call_timeout = 300ms;
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<int> timed_out = 0;
  OnEachRank(3, [&](Communicator& communicator) {
    EXPECT_THAT(SumOf(communicator), IsOk());
    EXPECT_THAT(communicator.Barrier(), IsOk());
    if (communicator.rank() == 1) Fail(1, NcclFault::kHang);
    EXPECT_THAT(communicator.Barrier(), IsOk());
    const Status status = SumOf(communicator);
    if (status.slug() != "group_lost") {
      EXPECT_THAT(status, StatusIs(StatusCode::kDeadlineExceeded, "collective_timeout"));
      ++timed_out;
    }
    EXPECT_THAT(status.message(), HasSubstr("all_reduce_sum "));
    EXPECT_THAT(status.message(), HasSubstr("on rank " + std::to_string(communicator.rank()) +
                                            " of 3, generation 7"));
    EXPECT_EQ(SumOf(communicator), status) << "it has ended for good";
    EXPECT_FALSE(communicator.Barrier().ok());
  });
  EXPECT_GE(timed_out, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

class NcclErrorTest : public NcclTest,
                      public testing::WithParamInterface<std::pair<NcclFault, const char*>> {};
INSTANTIATE_TEST_SUITE_P(
    Faults, NcclErrorTest,
    testing::Values(
        std::pair(NcclFault::kRemoteError,
                  "remote process exited or there was a network error (told to lose its peer)"),
        std::pair(NcclFault::kRefusal, "internal error (told to refuse)"),
        std::pair(NcclFault::kCudaError, "an illegal memory access was encountered")),
    [](const auto& fault) {
      return "Fault" + std::to_string(static_cast<int>(fault.param.first));
    });

TEST_P(NcclErrorTest, OneRanksErrorEndsAllAtOnce) {
  options_.call_timeout = 60s;
  const auto begin = std::chrono::steady_clock::now();
  OnEachRank(3, [&](Communicator& communicator) {
    EXPECT_THAT(SumOf(communicator), IsOk());
    EXPECT_THAT(communicator.Barrier(), IsOk());
    if (communicator.rank() == 2) Fail(2, GetParam().first);
    EXPECT_THAT(communicator.Barrier(), IsOk());
    const Status status = SumOf(communicator);
    EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, "group_lost"));
    EXPECT_THAT(status.message(), HasSubstr("all_reduce_sum "));
    if (communicator.rank() == 2) {
      EXPECT_THAT(status.message(), HasSubstr(GetParam().second));
    }
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s) << "long before the deadline";
}

TEST_F(NcclTest, ALostRankEndsTheOthersLongBeforeTheDeadline) {
  options_.call_timeout = 60s;
  const auto begin = std::chrono::steady_clock::now();
  OnEachRank(3, [&](Communicator& communicator) {
    EXPECT_THAT(communicator.Barrier(), IsOk());
    if (communicator.rank() == 0) return;  // its connection closes
    EXPECT_THAT(SumOf(communicator), StatusIs(StatusCode::kUnavailable, "group_lost"));
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST_F(NcclTest, AnAbortFromAnotherThreadEndsAllOfThem) {
  options_.call_timeout = 60s;
  Fail(2, NcclFault::kHang);
  const auto begin = std::chrono::steady_clock::now();
  OnEachRank(3, [&](Communicator& communicator) {
    std::thread aborting;
    if (communicator.rank() == 0) {
      aborting = std::thread([&] {
        std::this_thread::sleep_for(100ms);
        communicator.Abort();
      });
    }
    EXPECT_THAT(SumOf(communicator), StatusIs(StatusCode::kUnavailable, "group_lost"));
    if (aborting.joinable()) aborting.join();
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST_F(NcclTest, WhoIsDoneMayLeaveBeforeTheOthersHaveSeenTheEnd) {
  for (int round = 0; round < 20; ++round) {
    OnEachRank(3, [&](Communicator& communicator) { EXPECT_THAT(SumOf(communicator), IsOk()); });
  }
}

TEST_F(NcclTest, TensorsOfOtherDevicesTravelOnTheLine) {
  options_.device = at::Device(at::kCUDA, 0);
  OnEachRank(2, [&](Communicator& communicator) {
    const int before = Fake().calls();
    EXPECT_THAT(SumOf(communicator), IsOk());
    at::Tensor word = at::full({1}, communicator.rank(), at::kLong);
    EXPECT_THAT(communicator.Broadcast(word, 1), IsOk());
    EXPECT_EQ(word.item<std::int64_t>(), 1);
    EXPECT_EQ(Fake().calls(), before);
  });
}

TEST_F(NcclTest, RanksThatDoNotAgreeWhereATensorLiesHaveAMismatch) {
  test::OnEachLine(2, {}, [&](std::unique_ptr<Line> line) {
    NcclOptions options = options_;
    if (line->rank() == 1) options.device = at::Device(at::kCUDA, 0);
    ASSERT_OK_AND_ASSIGN(const auto communicator, NewNcclCommunicator(std::move(line), options));
    const Status status = SumOf(*communicator);
    EXPECT_FALSE(status.ok());
    if (status.slug() != "group_lost") {
      EXPECT_THAT(status, StatusIs(StatusCode::kInternal, "collective_mismatch"));
    }
  });
}

}  // namespace
}  // namespace emend::worker::collective::nccl_test
