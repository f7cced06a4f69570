#include "storage/base/status.h"

#include <memory>

#include "tests/support/status_matchers.h"

namespace emend::status_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;

TEST(StatusTest, ADefaultStatusIsOk) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(OkStatus().ToString(), "ok");
}

TEST(StatusTest, TheSlugIsTheCodesNameUnlessAFinerOneIsGiven) {
  EXPECT_EQ(NotFound("x").slug(), "not_found");
  EXPECT_EQ(Status(StatusCode::kConflict, "stale_head", "x").slug(), "stale_head");
  EXPECT_EQ(Status(StatusCode::kConflict, "stale_head", "moved").ToString(), "stale_head: moved");
}

TEST(StatusTest, ContextGoesBeforeTheMessageAndKeepsCodeAndSlug) {
  const Status status = Status(StatusCode::kConflict, "stale_head", "moved").WithContext("merging");
  EXPECT_THAT(status, StatusIs(StatusCode::kConflict, "stale_head"));
  EXPECT_EQ(status.message(), "merging: moved");
  EXPECT_THAT(OkStatus().WithContext("merging"), IsOk());
}

// Numbers are stored and sent.
TEST(StatusTest, CodesKeepTheirNumbersAndNames) {
  const std::vector<std::string> names = {"ok",
                                          "invalid_argument",
                                          "not_found",
                                          "already_exists",
                                          "conflict",
                                          "failed_precondition",
                                          "unauthenticated",
                                          "permission_denied",
                                          "resource_exhausted",
                                          "deadline_exceeded",
                                          "unavailable",
                                          "cancelled",
                                          "data_loss",
                                          "unsupported",
                                          "internal"};
  for (std::size_t i = 0; i < names.size(); ++i)
    EXPECT_EQ(CodeName(static_cast<StatusCode>(i)), names[i]);
}

Result<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  EMEND_ASSIGN_OR_RETURN(const int half, Half(value));
  EMEND_RETURN_IF_ERROR(Half(half).status());
  return Half(half);
}

TEST(ResultTest, HoldsAValueOrAFailure) {
  EXPECT_THAT(Half(4), IsOkAndHolds(2));
  EXPECT_THAT(Half(3), StatusIs(StatusCode::kInvalidArgument));
}

TEST(ResultTest, MacrosLeaveWithTheFirstFailure) {
  EXPECT_THAT(Quarter(8), IsOkAndHolds(2));
  EXPECT_THAT(Quarter(6), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Quarter(5), StatusIs(StatusCode::kInvalidArgument));
}

TEST(ResultTest, CarriesWhatOnlyMoves) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(ResultDeathTest, ReadingTheValueOfAFailureIsABugOfOurs) {
  EXPECT_DEATH(static_cast<void>(*Half(3)), "value of a failed Result was read: .*odd");
}

TEST(ResultDeathTest, AnOkStatusIsNoResult) {
  EXPECT_DEATH(Result<int>{OkStatus()}, "without a value");
}

}  // namespace
}  // namespace emend::status_test
