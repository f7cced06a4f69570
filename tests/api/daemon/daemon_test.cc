// The real emendd, without workers, on a store in a temporary folder.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <thread>

#include "api/daemon/launch.h"
#include "api/program/token_file.h"
#include "storage/base/file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::api::daemon::daemon_test {
namespace {

using test::IsOk;
using test::StatusIs;

class DaemonTest : public testing::Test {
 protected:
  DaemonTest() : store_(folder_.path() + "/store") {}
  ~DaemonTest() override { static_cast<void>(Shutdown(store_, std::chrono::seconds(20))); }

  Result<Launched> Up(std::vector<std::string> more = {}) const {
    const std::string program =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin" /
         "emendd")
            .string();
    std::vector<std::string> arguments = {"--workers", "0"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Launch({.store = store_,
                   .program = program,
                   .arguments = arguments,
                   .timeout = std::chrono::seconds(30)},
                  [](const std::string&) {});
  }
  const test::TemporaryFolder folder_;
  const std::string store_;
};

TEST_F(DaemonTest, ComesUpAnswersAndGoesDown) {
  ASSERT_OK_AND_ASSIGN(const Launched launched, Up());
  EXPECT_FALSE(launched.was_running);
  EXPECT_TRUE(launched.record.url.starts_with("http://127.0.0.1:"));
  ASSERT_OK_AND_ASSIGN(const std::string token, program::ReadToken(launched.record.token_file));
  EXPECT_GE(token.size(), 32U);
  EXPECT_THAT(Shutdown(store_, std::chrono::seconds(20)), IsOk());
  EXPECT_FALSE(std::filesystem::exists(DaemonRecordPath(store_)));
  // The last line of a daemon that stopped in order; one that crashed on its way out leaves no
  // record either.
  ASSERT_OK_AND_ASSIGN(const std::string log, PosixFileSystem().Read(store_ + "/emendd.log"));
  EXPECT_NE(log.find("emendd_stopped"), std::string::npos) << log;
  EXPECT_THAT(Shutdown(store_, std::chrono::seconds(1)),
              StatusIs(StatusCode::kNotFound, "not_running"));
}

TEST_F(DaemonTest, UpAgainFindsTheOneThatRuns) {
  ASSERT_OK_AND_ASSIGN(const Launched first, Up());
  ASSERT_OK_AND_ASSIGN(const Launched second, Up());
  EXPECT_TRUE(second.was_running);
  EXPECT_EQ(second.record.pid, first.record.pid);
  EXPECT_EQ(second.record.url, first.record.url);
}

TEST_F(DaemonTest, AKilledOneIsReplacedAndItsTokenStays) {
  ASSERT_OK_AND_ASSIGN(const Launched first, Up());
  ASSERT_OK_AND_ASSIGN(const std::string token, program::ReadToken(first.record.token_file));
  kill(static_cast<pid_t>(first.record.pid), SIGKILL);
  ASSERT_TRUE(std::filesystem::exists(DaemonRecordPath(store_)));
  ASSERT_OK_AND_ASSIGN(const Launched second, Up());
  EXPECT_FALSE(second.was_running);
  EXPECT_NE(second.record.pid, first.record.pid);
  EXPECT_EQ(*program::ReadToken(second.record.token_file), token);
}

TEST_F(DaemonTest, ATokenFromOutsideIsAskedForAndTheStoreMakesNone) {
  PosixFileSystem files;
  const std::string token = folder_.path() + "/token-of-others";
  ASSERT_THAT(files.WriteAtomically(token, "emend_secret\n", 0600), IsOk());
  ASSERT_OK_AND_ASSIGN(const Launched launched,
                       Up({"--worker-token-file", token, "--shared", folder_.path() + "/shared"}));
  EXPECT_FALSE(files.Exists(store_ + "/worker-token"));
}

TEST_F(DaemonTest, AMissingOrEmptyTokenLetsNobodyIn) {
  PosixFileSystem files;
  const std::string token = folder_.path() + "/token-of-others";
  const auto missing = Up({"--worker-token-file", token});
  EXPECT_THAT(missing.status(), StatusIs(StatusCode::kUnavailable, "daemon_ended"));
  EXPECT_NE(missing.status().message().find("reading the workers' token"), std::string::npos)
      << missing.status().message();
  ASSERT_THAT(files.WriteAtomically(token, "\n", 0600), IsOk());
  const auto empty = Up({"--worker-token-file", token});
  EXPECT_THAT(empty.status(), StatusIs(StatusCode::kInvalidArgument, "daemon_ended"));
  EXPECT_NE(empty.status().message().find("empty_worker_token"), std::string::npos)
      << empty.status().message();
}

TEST_F(DaemonTest, TheLogGoesWhereItIsTold) {
  const std::string log = folder_.path() + "/elsewhere.log";
  ASSERT_OK_AND_ASSIGN(const Launched launched, Up({"--log", log}));
  EXPECT_THAT(Shutdown(store_, std::chrono::seconds(20)), IsOk());
  ASSERT_OK_AND_ASSIGN(const std::string text, PosixFileSystem().Read(log));
  EXPECT_NE(text.find("emendd_stopped"), std::string::npos) << text;
}

TEST_F(DaemonTest, WhatItCannotDoEndsItWithItsReason) {
  const auto launched = Up({"--listen", "0.0.0.0:0"});
  EXPECT_THAT(launched.status(), StatusIs(StatusCode::kFailedPrecondition, "daemon_ended"));
  EXPECT_NE(launched.status().message().find("needs_tls"), std::string::npos);
}

}  // namespace
}  // namespace emend::api::daemon::daemon_test
