#include "api/daemon/launch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "storage/base/file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::api::daemon::launch_test {
namespace {

using test::IsOk;
using test::StatusIs;

const DaemonRecord kRecord{.url = "http://127.0.0.1:1", .token_file = "/x/token", .pid = 7};

TEST(StoreLock, HasOneOwner) {
  const test::TemporaryFolder folder;
  {
    ASSERT_OK_AND_ASSIGN(const StoreLock lock, StoreLock::Take(folder.path()));
    EXPECT_THAT(StoreLock::Take(folder.path()).status(),
                StatusIs(StatusCode::kConflict, "store_in_use"));
  }
  EXPECT_THAT(StoreLock::Take(folder.path()).status(), IsOk());
  EXPECT_THAT(StoreLock::Take(folder.path() + "/none").status(),
              StatusIs(StatusCode::kUnavailable));
}

TEST(StoreLock, IsAskedAboutWithoutBeingTaken) {
  const test::TemporaryFolder folder;
  EXPECT_FALSE(StoreLock::IsHeld(folder.path()));
  {
    ASSERT_OK_AND_ASSIGN(const StoreLock lock, StoreLock::Take(folder.path()));
    EXPECT_TRUE(StoreLock::IsHeld(folder.path()));
    EXPECT_FALSE(StoreLock::ReadDaemon(folder.path()).has_value())
        << "nobody said that it is a daemon";
    lock.Say({.pid = 12345});
    lock.Say({.pid = 678, .stopping = true});
    const auto daemon = StoreLock::ReadDaemon(folder.path());
    ASSERT_TRUE(daemon.has_value());
    EXPECT_EQ(daemon->pid, 678);
    EXPECT_TRUE(daemon->stopping);
  }
  EXPECT_FALSE(StoreLock::IsHeld(folder.path()));
}

TEST(Shutdown, WaitsForOneThatIsStoppingAlready) {
  const test::TemporaryFolder folder;
  std::optional<StoreLock> lock(std::move(StoreLock::Take(folder.path())).value());
  EXPECT_THAT(Shutdown(folder.path(), std::chrono::seconds(1)),
              StatusIs(StatusCode::kConflict, "store_in_use"))
      << "held, but by no daemon";
  lock->Say({.pid = getpid(), .stopping = true});  // a signal would end this test
  EXPECT_THAT(Shutdown(folder.path(), std::chrono::seconds(0)),
              StatusIs(StatusCode::kDeadlineExceeded));
  std::thread ending([&lock] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    lock.reset();
  });
  EXPECT_THAT(Shutdown(folder.path(), std::chrono::seconds(60)), IsOk());
  ending.join();
}

TEST(DaemonRecord, IsReadBackWhileTheLockIsHeld) {
  const test::TemporaryFolder folder;
  ASSERT_OK_AND_ASSIGN(const StoreLock lock, StoreLock::Take(folder.path()));
  ASSERT_THAT(WriteDaemonRecord(folder.path(), kRecord), IsOk());
  ASSERT_OK_AND_ASSIGN(const DaemonRecord read, ReadDaemonRecord(folder.path()));
  EXPECT_EQ(read.url, kRecord.url);
  EXPECT_EQ(read.token_file, kRecord.token_file);
  EXPECT_EQ(read.pid, 7);
  struct stat info{};
  ASSERT_EQ(stat(DaemonRecordPath(folder.path()).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(DaemonRecord, OfADeadDaemonIsNone) {
  const test::TemporaryFolder folder;
  ASSERT_THAT(WriteDaemonRecord(folder.path(), kRecord), IsOk());
  EXPECT_THAT(ReadDaemonRecord(folder.path()).status(),
              StatusIs(StatusCode::kNotFound, "not_running"));
  EXPECT_THAT(Shutdown(folder.path(), std::chrono::seconds(1)),
              StatusIs(StatusCode::kNotFound, "not_running"));
}

TEST(DaemonRecord, ABrokenOneIsSaidSo) {
  const test::TemporaryFolder folder;
  ASSERT_OK_AND_ASSIGN(const StoreLock lock, StoreLock::Take(folder.path()));
  for (const char* text : {"", "x", "[]", "{}", R"({"url":1,"token_file":"x","pid":1})",
                           R"({"url":"x","token_file":"x"})"}) {
    std::ofstream(DaemonRecordPath(folder.path())) << text;
    EXPECT_THAT(ReadDaemonRecord(folder.path()).status(), StatusIs(StatusCode::kDataLoss)) << text;
  }
}

TEST(DaemonRecord, NobodyAnswersAtAClosedPort) {
  EXPECT_FALSE(Answers(kRecord));
  for (const char* url :
       {"", "http://", "http://127.0.0.1", "http://x:1", "http://[::1]:1", "127.0.0.1:x"})
    EXPECT_FALSE(Answers({.url = url, .token_file = "", .pid = 1})) << url;
}

TEST(StoreFolder, IsPrivate) {
  const test::TemporaryFolder folder;
  const std::string store = folder.path() + "/a/b";
  ASSERT_THAT(CreateStoreFolder(store), IsOk());
  ASSERT_THAT(CreateStoreFolder(store), IsOk());
  struct stat info{};
  ASSERT_EQ(stat(store.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
}

TEST(StoreFolder, OfSomethingElseIsRefused) {
  const test::TemporaryFolder folder;
  std::ofstream(folder.path() + "/model.safetensors") << "x";
  EXPECT_THAT(CreateStoreFolder(folder.path()),
              StatusIs(StatusCode::kInvalidArgument, "not_a_store"));
  EXPECT_THAT(CreateStoreFolder(folder.path() + "/model.safetensors"),
              StatusIs(StatusCode::kInvalidArgument, "not_a_store"));
  std::ofstream(folder.path() + "/lock") << "";
  EXPECT_THAT(CreateStoreFolder(folder.path()), IsOk());
}

TEST(StoreFolder, WhatIsLeftOfAStoreIsNotOpenedAsANewOne) {
  const test::TemporaryFolder folder;
  const std::string store = folder.path() + "/store", shared = folder.path() + "/shared";
  const auto usual = [&] { return CheckStoreIsWhole(store, shared, StoreStart::kUsual); };
  std::filesystem::create_directories(store + "/models");
  std::ofstream(store + "/lock") << "1 running";
  std::ofstream(store + "/emendd.log") << "{}";
  EXPECT_THAT(usual(), IsOk()) << "it was never in use";
  const auto expect_refused = [&](const std::string& left) {
    const Status refused = usual();
    EXPECT_THAT(refused, StatusIs(StatusCode::kFailedPrecondition, "store_without_database"));
    EXPECT_THAT(refused.message(), ::testing::HasSubstr("\"" + left + "\" is left of a store"));
    EXPECT_THAT(refused.message(), ::testing::HasSubstr("backup"));
    EXPECT_THAT(CheckStoreIsWhole(store, shared, StoreStart::kNew), IsOk());
  };
  for (const std::string& left :
       {store + "/models/0123.tiles", store + "/token", shared + "/statistics/x.safetensors"}) {
    std::filesystem::create_directories(std::filesystem::path(left).parent_path());
    std::ofstream(left) << "x";
    expect_refused(left);
    std::filesystem::remove(left);
  }
  std::ofstream(store + "/anchor") << "old";
  expect_refused(store + "/anchor");
  EXPECT_EQ(*PosixFileSystem().Read(store + "/anchor.before-1"), "old");
  EXPECT_FALSE(std::filesystem::exists(store + "/anchor"));
  // with a database it is a store, whatever else is there
  std::ofstream(store + "/token") << "x";
  std::filesystem::create_directories(store + "/db");
  std::ofstream(store + "/db/CURRENT") << "MANIFEST-000001";
  EXPECT_THAT(usual(), IsOk());
}

TEST(Launch, AProgramThatIsNotThereIsNotFound) {
  const test::TemporaryFolder folder;
  const LaunchOptions options{
      .store = folder.path() + "/s", .program = "/nonexistent/emendd", .arguments = {}};
  EXPECT_THAT(Launch(options, [](const std::string&) {}).status(), StatusIs(StatusCode::kNotFound));
}

TEST(Launch, AProgramThatEndsEarlyShowsItsLog) {
  const test::TemporaryFolder folder;
  const std::string program = folder.path() + "/program";
  std::ofstream(program) << "#!/bin/sh\necho the reason\nexit 3\n";
  chmod(program.c_str(), 0700);
  const auto launched = Launch({.store = folder.path() + "/s", .program = program, .arguments = {}},
                               [](const std::string&) {});
  EXPECT_THAT(launched.status(), StatusIs(StatusCode::kUnavailable, "daemon_ended"));
  EXPECT_NE(launched.status().message().find("the reason"), std::string::npos);
  EXPECT_NE(launched.status().message().find("exited with 3"), std::string::npos);
}

}  // namespace
}  // namespace emend::api::daemon::launch_test
