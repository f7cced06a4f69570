#include "worker/probe/health.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "storage/base/file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::worker::probe::health_test {
namespace {

using std::chrono::seconds;
using test::IsOk;
using test::StatusIs;

class HealthTest : public testing::Test {
 protected:
  void Write(const std::string& state) const {
    ASSERT_THAT(PosixFileSystem().WriteAtomically(file_, state, 0644), IsOk());
  }
  Status After(seconds age, Question question) const {
    return CheckHealth(file_, question, std::chrono::system_clock::now() + age);
  }

  const test::TemporaryFolder folder_;
  const std::string file_ = folder_.path() + "/health";
};

TEST_F(HealthTest, AConnectedWorkerLivesAndIsReady) {
  Write("connected\n");
  EXPECT_THAT(After(seconds(0), Question::kLive), IsOk());
  EXPECT_THAT(After(seconds(0), Question::kReady), IsOk());
}

TEST_F(HealthTest, ADiallingWorkerLivesAndIsNotReady) {
  Write("dialling\n");
  EXPECT_THAT(After(seconds(0), Question::kLive), IsOk());
  EXPECT_THAT(After(seconds(0), Question::kReady), StatusIs(StatusCode::kUnavailable, "dialling"));
}

TEST_F(HealthTest, AnOldFileIsAWorkerThatHangs) {
  Write("connected\n");
  EXPECT_THAT(After(kStale - seconds(2), Question::kLive), IsOk());
  EXPECT_THAT(After(kStale + seconds(2), Question::kLive),
              StatusIs(StatusCode::kUnavailable, "hangs"));
  EXPECT_THAT(After(kStale + seconds(2), Question::kReady),
              StatusIs(StatusCode::kUnavailable, "hangs"));
}

TEST_F(HealthTest, WithoutAFileItHasNotBegun) {
  EXPECT_EQ(After(seconds(0), Question::kLive).code(), StatusCode::kNotFound);
  EXPECT_EQ(After(seconds(0), Question::kReady).code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace emend::worker::probe::health_test
