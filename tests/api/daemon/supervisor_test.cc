#include "api/daemon/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "tests/support/status_matchers.h"

namespace emend::api::daemon::supervisor_test {
namespace {

using namespace std::chrono_literals;
using ::emend::test::IsOk;
using ::emend::test::StatusIs;

// A supervisor over a shell script that stands in for emend-worker.
class SupervisorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/emend-supervisor-XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  SupervisorOptions Options(const std::string& script, int workers) {
    const std::string program = folder_ + "/worker";
    std::ofstream(program) << "#!/bin/sh\n" << script;
    chmod(program.c_str(), 0755);
    return {.program = program,
            .coordinator = "127.0.0.1:1",
            .token_file = folder_ + "/token",
            .log_folder = folder_,
            .workers = workers,
            .threads = 3};
  }

  // Starts the supervisor, lets `check` look at it until it holds, and stops it.
  void Supervise(SupervisorOptions options, std::function<bool(const Supervisor&)> check) {
    const auto supervisor = NewSupervisor(*runtime_, std::move(options));
    ASSERT_THAT(supervisor->Start(), IsOk());
    boost::asio::co_spawn(runtime_->executor(), Watch(*runtime_, *supervisor, std::move(check)),
                          [this](std::exception_ptr error) {
                            EXPECT_EQ(error, nullptr);
                            runtime_->Stop();
                          });
    runtime_->Run();
    EXPECT_TRUE(supervisor->process_ids().empty());
  }

  static Awaitable<void> Watch(Runtime& runtime, Supervisor& supervisor,
                               std::function<bool(const Supervisor&)> check) {
    const SteadyTime deadline = runtime.clock().Now() + 20s;
    bool holds = false;
    while (!holds && runtime.clock().Now() < deadline) {
      holds = check(supervisor);
      co_await Sleep(runtime, 20ms);
    }
    EXPECT_TRUE(holds);
    co_await supervisor.Stop();
  }

  std::string ReadFile(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  std::unique_ptr<SystemRuntime> runtime_ = NewSystemRuntime(1);
  std::string folder_;
};

bool IsAlive(std::uint64_t process_id) { return kill(static_cast<pid_t>(process_id), 0) == 0; }

TEST_F(SupervisorTest, StartsEachWorkerWithItsArgumentsAndStopsIt) {
  std::vector<std::uint64_t> seen;
  Supervise(Options("echo \"$@\" > " + folder_ + "/$6.args; exec sleep 100\n", 2),
            [&](const Supervisor& supervisor) {
              seen = supervisor.process_ids();
              return seen.size() == 2 && !ReadFile("w0.args").empty() &&
                     !ReadFile("w1.args").empty();
            });
  EXPECT_EQ(ReadFile("w1.args"),
            "--coordinator 127.0.0.1:1 --token-file " + folder_ +
                "/token --name w1 --group g1 --rank 0 --world-size 1 --threads 3 --log " + folder_ +
                "/worker-1.log --embedded\n");
  for (const std::uint64_t process_id : seen) EXPECT_FALSE(IsAlive(process_id));
}

TEST_F(SupervisorTest, StartsAWorkerAgainThatWasKilled) {
  std::uint64_t first = 0;
  Supervise(Options("exec sleep 100\n", 1), [&](const Supervisor& supervisor) {
    const auto ids = supervisor.process_ids();
    if (ids.empty()) return false;
    if (first == 0) {
      first = ids[0];
      kill(static_cast<pid_t>(first), SIGKILL);
    }
    return ids[0] != first;
  });
}

TEST_F(SupervisorTest, WaitsLongerBeforeEachRestartOfAWorkerThatCannotLive) {
  const auto begin = std::chrono::steady_clock::now();
  Supervise(Options("echo x >> " + folder_ + "/starts\n", 1),
            [&](const Supervisor&) { return std::chrono::steady_clock::now() - begin > 3s; });
  const auto starts = std::ranges::count(ReadFile("starts"), 'x');
  EXPECT_GE(starts, 3);
  EXPECT_LE(starts, 6) << "100, 200, 400, 800 and 1600 ms lie between them";
}

TEST_F(SupervisorTest, KillsAWorkerThatDoesNotObey) {
  std::uint64_t process_id = 0;
  Supervise(
      Options("trap '' TERM\ntouch " + folder_ + "/ready\nwhile true; do sleep 0.1; done\n", 1),
      [&](const Supervisor& supervisor) {
        if (!supervisor.process_ids().empty()) process_id = supervisor.process_ids()[0];
        return std::filesystem::exists(folder_ + "/ready");
      });
  EXPECT_FALSE(IsAlive(process_id));
}

TEST_F(SupervisorTest, AChildSeesNoneOfTheParentsFiles) {
  std::ofstream held(folder_ + "/held");
  Supervise(Options("ls -l /proc/$$/fd > " + folder_ + "/fds.part; mv " + folder_ + "/fds.part " +
                        folder_ + "/fds; exec sleep 100\n",
                    1),
            [&](const Supervisor&) { return !ReadFile("fds").empty(); });
  EXPECT_EQ(ReadFile("fds").find("/held"), std::string::npos) << ReadFile("fds");
}

TEST_F(SupervisorTest, AMissingProgramIsNotFound) {
  const auto supervisor = NewSupervisor(
      *runtime_,
      {.program = folder_ + "/none", .coordinator = "", .token_file = "", .log_folder = ""});
  EXPECT_THAT(supervisor->Start(), StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace emend::api::daemon::supervisor_test
