// The program emend-worker as a child process of a supervisor, called over TCP by a coordinator's
// membership, on the demo model.
#include <gtest/gtest.h>
#include <signal.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <set>
#include <thread>

#include "api/daemon/supervisor.h"
#include "coordinator/membership/membership.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/server/atlas_requests.h"
#include "worker/protocol/base_turns.h"

namespace emend::worker::server::worker_process_test {
namespace {

using namespace std::chrono_literals;
using coordinator::membership::CallOptions;
using coordinator::membership::Membership;
using coordinator::membership::WorkerInfo;
using coordinator::membership::WorkerState;
using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using protocol::Progress;
using protocol::ReplyBody;
using protocol::RequestBody;

// A coordinator's side in a thread of its own, and one worker process.
class WorkerProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(folder_.path() + "/token") << "secret\n";
    thread_ = std::thread([this] { runtime_->Run(); });
    coordinator::membership::MembershipOptions options;
    options.token = "secret";
    options.store_epoch = 3;
    options.heartbeat = 1s;
    options.persist_generation = [](const std::string&, std::uint64_t) { return OkStatus(); };
    members_ = coordinator::membership::NewMembership(*runtime_, *transport_, std::move(options));
    OnExecutor([this] {
      ASSERT_THAT(members_->Start("127.0.0.1:0"), IsOk());
      supervisor_ = api::daemon::NewSupervisor(*runtime_, {.program = EMEND_WORKER_PROGRAM,
                                                           .coordinator = members_->address(),
                                                           .token_file = folder_.path() + "/token",
                                                           .log_folder = folder_.path(),
                                                           .workers = 1,
                                                           .threads = 2});
      ASSERT_THAT(supervisor_->Start(), IsOk());
    });
    ASSERT_THAT(WaitForWorker(), IsOk());
  }

  void TearDown() override {
    EXPECT_THAT(Run(Stop(supervisor_.get(), members_.get())), IsOk());
    runtime_->Stop();
    thread_.join();
    if (HasFailure()) std::ifstream(folder_.path() + "/worker-0.log") >> std::cerr.rdbuf();
  }

  static Awaitable<Status> Stop(api::daemon::Supervisor* supervisor, Membership* members) {
    co_await supervisor->Stop();
    co_await members->Stop();
    co_return OkStatus();
  }

  static Awaitable<Status> Stop(Membership* members) {
    co_await members->Stop();
    co_return OkStatus();
  }

  template <typename T>
  static Awaitable<void> Into(Awaitable<T> task, std::promise<T>* promise) {
    promise->set_value(co_await std::move(task));
  }
  // Runs a coroutine on the executor and waits for what it returns.
  template <typename T>
  T Run(Awaitable<T> task) {
    std::promise<T> promise;
    boost::asio::co_spawn(runtime_->executor(), Into(std::move(task), &promise),
                          [](std::exception_ptr error) { EXPECT_EQ(error, nullptr); });
    return promise.get_future().get();
  }
  void OnExecutor(const std::function<void()>& work) {
    std::promise<void> done;
    boost::asio::post(runtime_->executor(), [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

  Status WaitForWorker() {
    return Run(members_->WaitForWorker(std::chrono::steady_clock::now() + 30s));
  }
  Result<ReplyBody> Ask(RequestBody request, CallOptions options = {.timeout = 5min}) {
    return Run(members_->Call(std::move(request), std::move(options)));
  }
  template <typename Reply>
  Reply Get(RequestBody request) {
    const Result<ReplyBody> reply = Ask(std::move(request));
    EXPECT_THAT(reply, IsOk());
    return reply.ok() ? std::get<Reply>(*reply) : Reply{};
  }
  // Behind which another may take its place.
  void LeaveBaseAlone() {
    ASSERT_THAT(Ask(EnsureRequest(BaseState(), 0)), IsOk());
    ASSERT_THAT(Ask(protocol::DigestState{AtlasBase(), BaseState()}), IsOk());
    std::this_thread::sleep_for(protocol::kBaseLeftAlone);
  }
  std::vector<std::uint64_t> ProcessIds() {
    std::vector<std::uint64_t> ids;
    OnExecutor([&] { ids = supervisor_->process_ids(); });
    return ids;
  }
  WorkerInfo Info() {
    WorkerInfo info;
    OnExecutor([&] { info = members_->Workers().at(0); });
    return info;
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<SystemRuntime> runtime_ = NewSystemRuntime(2);
  std::unique_ptr<protocol::Transport> transport_ = protocol::NewTcpTransport(*runtime_);
  std::unique_ptr<Membership> members_;
  std::unique_ptr<api::daemon::Supervisor> supervisor_;
  std::thread thread_;
};

TEST_F(WorkerProcessTest, AnEditGoesFromStatisticsToALiveStateWhoseBytesAreTheRebuilds) {
  EXPECT_EQ(Get<protocol::LoadBaseReply>(LoadRequest()).family, "gpt2");
  ASSERT_TRUE(Get<protocol::EnsureStateReply>(EnsureRequest(BaseState(), 0)).missing.empty());
  const std::string statistics = folder_.path() + "/statistics.safetensors";
  EXPECT_GT(Get<protocol::ComputeStatisticsReply>(StatisticsRequest(statistics)).tokens, 1000U);

  std::set<std::string> phases;
  CallOptions options{.timeout = 5min,
                      .on_progress = [&](const Progress& report) { phases.insert(report.phase); }};
  const Result<ReplyBody> answered = Ask(SolveRequest(statistics), options);
  ASSERT_THAT(answered, IsOk());
  const auto& solved = std::get<protocol::SolveReply>(*answered);
  EXPECT_TRUE(phases.contains("targets"));

  ASSERT_EQ(Get<protocol::EnsureStateReply>(EnsureRequest(EditedState(), 4)).missing.size(), 4U);
  ASSERT_THAT(Ask(PutRequest(solved)), IsOk());
  ASSERT_TRUE(Get<protocol::EnsureStateReply>(EnsureRequest(EditedState(), 4)).missing.empty());
  std::string text;
  options = {.timeout = 5min,
             .on_piece = [&](const protocol::Piece& piece) { text += piece.text; }};
  EXPECT_THAT(Ask(TextRequest(EditedState(), 0, 6), options), IsOk());
  EXPECT_TRUE(text.starts_with(" " + SolvedFacts()[0].target)) << text;
  EXPECT_EQ(
      Get<protocol::DigestStateReply>(protocol::DigestState{AtlasBase(), EditedState()}).roots,
      RebuiltRoots(solved));
  EXPECT_EQ(Info().stale_frames, 0U);
}

TEST_F(WorkerProcessTest, WhatItHoldsAndReadComesWithItsHeartbeats) {
  const protocol::LoadBase request = CheckedLoadRequest(folder_.path());
  const std::uint64_t read = Get<protocol::LoadBaseReply>(request).bytes_read;
  for (int i = 0; i < 300 && Info().memory.weights_bytes == 0; ++i)
    std::this_thread::sleep_for(100ms);
  EXPECT_EQ(Info().memory.file_bytes_read, read);
  EXPECT_GT(Info().memory.weights_bytes, 40'000'000U) << "ten million parameters in fp32";
  FlipBit(folder_.path(), "transformer.wte.weight", 8191, 0);
  LeaveBaseAlone();
  protocol::LoadBase other = request;
  other.base = BaseId(EditedState().digest());
  EXPECT_THAT(Ask(other), StatusIs(StatusCode::kDataLoss, "base_damaged"));
}

TEST_F(WorkerProcessTest, AKilledWorkerEndsItsCallAndIsStartedAgain) {
  ASSERT_THAT(Ask(LoadRequest()), IsOk());
  const std::uint64_t generation = Info().generation;
  const std::uint64_t process = Info().process_id;
  CallOptions options{.timeout = 5min, .on_progress = [&](const Progress&) {
                        kill(static_cast<pid_t>(process), SIGKILL);
                      }};
  EXPECT_THAT(Ask(StatisticsRequest(folder_.path() + "/statistics.safetensors"), options),
              StatusIs(StatusCode::kUnavailable, "worker_lost"));
  ASSERT_THAT(WaitForWorker(), IsOk());
  EXPECT_GT(Info().generation, generation);
  EXPECT_NE(Info().process_id, process);
  EXPECT_THAT(Ask(EnsureRequest(BaseState(), 0)),
              StatusIs(StatusCode::kFailedPrecondition, "base_not_loaded"))
      << "a new process knows nothing";
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/statistics.safetensors"));
}

TEST_F(WorkerProcessTest, HeartbeatsContinueWhileItComputesAndACancelledCallEndsSoon) {
  ASSERT_THAT(Ask(LoadRequest()), IsOk());
  Signal cancel(*runtime_);
  CallOptions options{
      .timeout = 5min, .on_progress = [&](const Progress&) { cancel.Set(); }, .cancel = &cancel};
  protocol::ComputeStatistics request =
      StatisticsRequest(folder_.path() + "/statistics.safetensors");
  const std::vector<std::string> lines = request.lines;
  for (int i = 0; i < 50; ++i)
    request.lines.insert(request.lines.end(), lines.begin(), lines.end());
  EXPECT_THAT(Ask(std::move(request), options), StatusIs(StatusCode::kCancelled));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(Ask(EnsureRequest(BaseState(), 0)), IsOk());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s)
      << "the worker went on with what nobody wants";
  EXPECT_EQ(Info().state, WorkerState::kConnected);
}

TEST_F(WorkerProcessTest, WhileItWorksAnotherBaseIsRefusedAtOnceAndItsOwnIsAsked) {
  ASSERT_THAT(Ask(LoadRequest()), IsOk());
  ASSERT_THAT(Ask(EnsureRequest(BaseState(), 0)), IsOk());
  Signal cancel(*runtime_);
  std::promise<void> began;
  CallOptions options{.timeout = 5min,
                      .on_progress =
                          [&, told = false](const Progress&) mutable {
                            if (!std::exchange(told, true)) began.set_value();
                          },
                      .cancel = &cancel};
  protocol::ComputeStatistics request =
      StatisticsRequest(folder_.path() + "/statistics.safetensors");
  const std::vector<std::string> lines = request.lines;
  for (int i = 0; i < 50; ++i)
    request.lines.insert(request.lines.end(), lines.begin(), lines.end());
  std::future<Result<ReplyBody>> work =
      std::async(std::launch::async, [&] { return Ask(std::move(request), options); });
  began.get_future().wait();
  protocol::LoadBase other = LoadRequest();
  other.base = BaseId(EditedState().digest());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(Ask(other), StatusIs(StatusCode::kUnavailable, "base_busy"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
  EXPECT_THAT(Ask(TextRequest(BaseState(), 0, 3)), IsOk());
  EXPECT_EQ(work.wait_for(0s), std::future_status::timeout)
      << "the work was over too soon for this test";
  OnExecutor([&] { cancel.Set(); });
  EXPECT_THAT(work.get(), StatusIs(StatusCode::kCancelled));
  LeaveBaseAlone();
  EXPECT_THAT(Ask(other), IsOk()) << "nothing is under way";
}

TEST_F(WorkerProcessTest, AnEmbeddedWorkerEndsWithItsCoordinator) {
  const std::uint64_t process = ProcessIds().at(0);
  ASSERT_THAT(Run(Stop(members_.get())), IsOk());
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!ProcessIds().empty() && ProcessIds()[0] == process &&
         std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(50ms);
  const std::vector<std::uint64_t> now = ProcessIds();
  EXPECT_TRUE(now.empty() || now[0] != process);
}

}  // namespace
}  // namespace emend::worker::server::worker_process_test
