#include "storage/base/reason.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::reason_test {
namespace {

using test::StatusIs;

constexpr auto kLast = static_cast<int>(Reason::kUnauthenticated);

TEST(ReasonTest, EachReasonIsKnownAgainByItsFailure) {
  for (int i = 1; i <= kLast; ++i) {
    const auto reason = static_cast<Reason>(i);
    const Status failure = Failure(reason, "it failed");
    EXPECT_EQ(ReasonOf(failure), reason) << failure.slug();
    EXPECT_EQ(ReasonOf(failure.WithContext("trying")), reason) << failure.slug();
  }
}

TEST(ReasonTest, OkAndFailuresThatNobodyTellsApartHaveNone) {
  EXPECT_EQ(ReasonOf(OkStatus()), Reason::kNone);
  EXPECT_EQ(ReasonOf(InvalidArgument("no")), Reason::kNone);
  EXPECT_FALSE(Allows(OkStatus(), Retry::kRerun));
  EXPECT_FALSE(Allows(InvalidArgument("no"), Retry::kResend));
}

TEST(ReasonTest, RetryClassesSayWhoTriesAgain) {
  const auto allows = [](Reason reason, Retry retry) {
    return Allows(Failure(reason, "x"), retry);
  };
  EXPECT_TRUE(allows(Reason::kWorkerLost, Retry::kRerun));
  EXPECT_TRUE(allows(Reason::kStaleHead, Retry::kRerun));
  EXPECT_FALSE(allows(Reason::kStaleHead, Retry::kResend));
  EXPECT_FALSE(allows(Reason::kBaseBusy, Retry::kRerun)) << "it is waited for";
  EXPECT_TRUE(allows(Reason::kBaseBusy, Retry::kResend));
  EXPECT_TRUE(allows(Reason::kCollectiveTimeout, Retry::kRegroup));
  EXPECT_FALSE(allows(Reason::kWorkerLost, Retry::kRegroup));
  EXPECT_THAT(Failure(Reason::kStaleHead, "x"), StatusIs(StatusCode::kConflict, "stale_head"));
}

}  // namespace
}  // namespace emend::reason_test
