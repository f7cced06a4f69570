#include "storage/base/failpoint.h"

#include <chrono>

#include "tests/support/status_matchers.h"

namespace emend::failpoint_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<int> Pass() {
  EMEND_FAILPOINT("test.first");
  EMEND_FAILPOINT("test.second");
  return 1;
}

class FailpointTest : public ::testing::Test {
 protected:
  ~FailpointTest() override {
    EXPECT_THAT(ArmFailpoints(""), IsOk());
    RecordFailpoints(false);
  }
};

TEST_F(FailpointTest, UnarmedTheyDoNothing) { EXPECT_THAT(Pass(), IsOkAndHolds(1)); }

TEST_F(FailpointTest, AnErrorComesAtTheNthPassingAlone) {
  ASSERT_THAT(ArmFailpoints("test.second:2:error"), IsOk());
  EXPECT_THAT(Pass(), IsOkAndHolds(1));
  EXPECT_THAT(Pass(), StatusIs(StatusCode::kInternal, "failpoint"));
  EXPECT_THAT(Pass(), IsOkAndHolds(1));
}

TEST_F(FailpointTest, SeveralAreArmedAtOnce) {
  ASSERT_THAT(ArmFailpoints("test.first:2:error,test.second:1:error"), IsOk());
  EXPECT_THAT(Pass().status().message(), HasSubstr("test.second"));
  EXPECT_THAT(Pass().status().message(), HasSubstr("test.first"));
}

TEST_F(FailpointTest, AWrongSpecIsRefusedAndChangesNothing) {
  ASSERT_THAT(ArmFailpoints("test.first:1:error"), IsOk());
  for (const char* wrong : {"test.first", "test.first:1", "test.first:0:error",
                            "test.first:x:error", "test.first:1:explode"}) {
    EXPECT_THAT(ArmFailpoints(wrong), StatusIs(StatusCode::kInvalidArgument)) << wrong;
  }
  EXPECT_THAT(Pass(), StatusIs(StatusCode::kInternal, "failpoint"));
}

TEST_F(FailpointTest, SleepWaits) {
  ASSERT_THAT(ArmFailpoints("test.first:1:sleep"), IsOk());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Pass(), IsOkAndHolds(1));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1900));
}

TEST_F(FailpointTest, RecordingTellsWhatWasPassed) {
  RecordFailpoints(true);
  EXPECT_THAT(Pass(), IsOk());
  EXPECT_THAT(RecordedFailpoints(), ElementsAre("test.first", "test.second"));
}

using FailpointDeathTest = FailpointTest;

TEST_F(FailpointDeathTest, AbortKillsTheProcess) {
  EXPECT_EXIT(
      {
        if (ArmFailpoints("test.first:1:abort").ok()) static_cast<void>(Pass());
      },
      ::testing::KilledBySignal(SIGKILL), "");
}

}  // namespace
}  // namespace emend::failpoint_test
