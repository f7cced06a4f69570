#include "api/program/exit_code.h"

#include <gtest/gtest.h>

namespace emend::api::program::exit_code_test {
namespace {

TEST(ExitCode, EveryCodeHasItsOwn) {
  using namespace exit_codes;
  EXPECT_EQ(ExitCodeOf(OkStatus()), kExitOk);
  EXPECT_EQ(ExitCodeOf(InvalidArgument("m")), kExitUsage);
  EXPECT_EQ(ExitCodeOf(NotFound("m")), kExitNotFound);
  EXPECT_EQ(ExitCodeOf(Conflict("m")), kExitConflict);
  EXPECT_EQ(ExitCodeOf(FailedPrecondition("m")), kExitRefused);
  EXPECT_EQ(ExitCodeOf({StatusCode::kPermissionDenied, "m"}), kExitRefused);
  EXPECT_EQ(ExitCodeOf(Unavailable("m")), kExitUnreachable);
  EXPECT_EQ(ExitCodeOf(DataLoss("m")), kExitInternal);
}

}  // namespace
}  // namespace emend::api::program::exit_code_test
