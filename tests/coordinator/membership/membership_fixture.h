// A membership and its workers in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coordinator/membership/membership.h"
#include "tests/support/ended.h"
#include "tests/support/fake_worker.h"
#include "tests/support/memory_transport.h"
#include "tests/support/sim_runtime.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::membership {

using namespace std::chrono_literals;
using ::emend::test::Ended;
using ::emend::test::FakeWorker;
using ::emend::test::FakeWorkerOptions;
using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::SimRuntime;
using ::emend::test::StatusIs;
using worker::protocol::Envelope;
using worker::protocol::Heartbeat;
using worker::protocol::ProbeRanks;
using worker::protocol::Progress;
using worker::protocol::ReplyBody;
using worker::protocol::RequestBody;
using worker::protocol::Response;
using worker::protocol::SampleTextsReply;

inline constexpr char kAddress[] = "coordinator:1";
inline constexpr char kOtherHost[] = "other";  // its programs are of another release
inline constexpr std::uint64_t kEpoch = 5;
inline constexpr auto kHeartbeat = 500ms;

inline StateId StateOf(std::uint8_t number) {
  Digest digest;
  digest.bytes[0] = number;
  return StateId(digest);
}

inline BaseId BaseOf(std::uint8_t number) {
  Digest digest;
  digest.bytes[0] = number;
  return BaseId(digest);
}

class MembershipTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MembershipOptions options;
    options.token = "secret";
    options.store_epoch = kEpoch;
    options.heartbeat = kHeartbeat;
    options.generations = {{"g0", 41}};
    options.persist_generation = [this](const std::string& group, std::uint64_t generation) {
      if (persist_fails_) return Unavailable("the disk is gone");
      persisted_[group] = generation;
      return OkStatus();
    };
    membership_ = NewMembership(sim_, *coordinator_host_, std::move(options));
    ASSERT_THAT(membership_->Start(kAddress), IsOk());
  }

  void TearDown() override {
    for (auto& worker : workers_) sim_.Await(Ended(worker->Stop()));
    sim_.Await(Ended(membership_->Stop()));
    sim_.RunFor(1s);
  }

  // Starts a worker whose host is called as it is; it joins within the next second.
  FakeWorker& Dial(FakeWorkerOptions options) {
    hosts_.push_back(network_->Host(options.name));
    workers_.push_back(std::make_unique<FakeWorker>(sim_, *hosts_.back(), std::move(options)));
    workers_.back()->Start();
    return *workers_.back();
  }
  FakeWorker& Join(FakeWorkerOptions options) {
    FakeWorker& worker = Dial(std::move(options));
    EXPECT_TRUE(sim_.RunUntil([&] { return worker.joined(); }, 5s));
    sim_.RunFor(50ms);
    return worker;
  }

  using Outcome = std::shared_ptr<std::optional<Result<ReplyBody>>>;
  // Begins a call; `*outcome` is set when it has ended.
  Outcome Begin(CallOptions options = {}) {
    return sim_.Begin(membership_->Call(ProbeRanks{}, std::move(options)));
  }
  Result<ReplyBody> Finish(const Outcome& outcome, std::chrono::nanoseconds limit = 1h) {
    if (!sim_.RunUntil([&] { return outcome->has_value(); }, limit))
      return Internal("the call did not end");
    return **outcome;
  }
  Result<ReplyBody> Call(CallOptions options = {}) { return Finish(Begin(std::move(options))); }
  Result<WorkerId> Pick(StateId state, std::chrono::milliseconds patience = 1s, BaseId base = {}) {
    return *sim_.Await(
        membership_->Pick({.base = base, .state = state}, sim_.clock().Now() + patience));
  }

  Result<ReplyBody> TryLoad(const std::string& worker, BaseId base) {
    RequestBody request = worker::protocol::LoadBase{base, "models", {}};
    return *sim_.Await(membership_->Call(std::move(request), {.worker = WorkerId(worker)}));
  }
  // And lets its turn pass.
  void Load(const std::string& worker, BaseId base) {
    EXPECT_THAT(TryLoad(worker, base), IsOk());
    sim_.RunFor(worker::protocol::kBaseTurn);
  }

  WorkerInfo Info(const std::string& name) const {
    for (const WorkerInfo& info : membership_->Workers()) {
      if (info.worker.value() == name) return info;
    }
    ADD_FAILURE() << "no worker " << name;
    return {};
  }

  SimRuntime sim_{11};
  std::unique_ptr<test::MemoryNetwork> network_ = test::NewMemoryNetwork(
      sim_, {.seed = 11, .versions = {{kOtherHost, worker::protocol::kProtocolVersion + 1}}});
  std::unique_ptr<worker::protocol::Transport> coordinator_host_ = network_->Host("coordinator");
  std::vector<std::unique_ptr<worker::protocol::Transport>> hosts_;
  std::map<std::string, std::uint64_t> persisted_;
  bool persist_fails_ = false;
  std::unique_ptr<Membership> membership_;
  std::vector<std::unique_ptr<FakeWorker>> workers_;
};

}  // namespace emend::coordinator::membership
