#include "tests/coordinator/membership/membership_fixture.h"

namespace emend::coordinator::membership::membership_test {
namespace {

TEST_F(MembershipTest, AWorkerWithTheTokenJoinsAndAnswers) {
  Join({.name = "w0"});
  EXPECT_THAT(Call(), IsOkAndHolds(ReplyBody(SampleTextsReply{{"w0"}, 1, {}})));
  const WorkerInfo info = Info("w0");
  EXPECT_EQ(info.state, WorkerState::kConnected);
  EXPECT_EQ(info.group, "g0");
  EXPECT_EQ(info.calls, 1U);
  EXPECT_LE(info.last_heard_ms_ago, 500);
}

TEST_F(MembershipTest, AWorkerWithAnotherTokenIsRefusedByName) {
  FakeWorker& worker = Dial({.name = "w0", .token = "guess", .redial = false});
  ASSERT_TRUE(sim_.RunUntil([&] { return worker.refusal().has_value(); }, 5s));
  EXPECT_EQ(worker.refusal()->slug, "unauthenticated");
  EXPECT_TRUE(membership_->Workers().empty());
  EXPECT_TRUE(persisted_.empty()) << "a refused worker raised a generation";
}

TEST_F(MembershipTest, AWorkerOfAnotherProtocolIsRefusedByNameOnBothSides) {
  std::string told;
  const auto note = [&told](std::string_view what) { told += what; };
  Dial({.name = kOtherHost, .redial = false, .observer = note});
  ASSERT_TRUE(sim_.RunUntil([&] { return !told.empty(); }, 5s));
  EXPECT_THAT(told, testing::HasSubstr("protocol_version"));
  EXPECT_THAT(told, testing::HasSubstr("found protocol version 3, this program speaks 4"))
      << "the coordinator answers in its own version";
  EXPECT_TRUE(membership_->Workers().empty());
  EXPECT_TRUE(persisted_.empty()) << "a refused worker raised a generation";
}

TEST_F(MembershipTest, AConnectionThatSaysNothingIsClosed) {
  const auto silent_host = network_->Host("silent");
  const auto connection = **sim_.Await(silent_host->Dial(kAddress, sim_.clock().Now() + 1s));
  const auto received = *sim_.Await(connection->Receive(sim_.clock().Now() + 1min));
  EXPECT_THAT(received, StatusIs(StatusCode::kUnavailable));
  EXPECT_LE(sim_.elapsed(), 15s);
}

TEST_F(MembershipTest, TheFirstMessageMustBeAHello) {
  const auto host = network_->Host("rude");
  const auto connection = **sim_.Await(host->Dial(kAddress, sim_.clock().Now() + 1s));
  Envelope beat{.store_epoch = 0, .generation = 0, .message = Heartbeat{}};
  ASSERT_THAT(*sim_.Await(connection->Send(beat, sim_.clock().Now() + 1s)), IsOk());
  const auto received = *sim_.Await(connection->Receive(sim_.clock().Now() + 1s));
  ASSERT_THAT(received, IsOk());
  EXPECT_TRUE(std::holds_alternative<worker::protocol::Refuse>(received->message));
}

TEST_F(MembershipTest, GenerationsRiseAboveThePersistedOnesAndArePersistedBeforeUse) {
  FakeWorker& worker = Join({.name = "w0"});
  EXPECT_GT(worker.generation(), 41U);
  EXPECT_EQ(worker.store_epoch(), kEpoch);
  EXPECT_EQ(persisted_["g0"], worker.generation());
  const std::uint64_t first = worker.generation();
  worker.Die();
  ASSERT_TRUE(sim_.RunUntil([&] { return worker.joins() == 2; }, 5s));
  EXPECT_GT(worker.generation(), first);
  EXPECT_EQ(persisted_["g0"], worker.generation());
}

TEST_F(MembershipTest, WithoutPersistenceNobodyIsWelcomed) {
  persist_fails_ = true;
  FakeWorker& worker = Dial({.name = "w0"});
  sim_.RunFor(5s);
  EXPECT_FALSE(worker.joined());
  EXPECT_TRUE(membership_->Workers().empty());
  persist_fails_ = false;
  EXPECT_TRUE(sim_.RunUntil([&] { return worker.joined(); }, 5s));
}

TEST_F(MembershipTest, SilenceIsNoticedWithinThreeBeats) {
  FakeWorker& worker = Join({.name = "w0"});
  worker.SetVoice(FakeWorker::Voice::kMute);
  const auto before = sim_.elapsed();
  ASSERT_TRUE(sim_.RunUntil([&] { return Info("w0").state == WorkerState::kLost; }, 10s));
  EXPECT_LE(sim_.elapsed() - before, 3 * kHeartbeat + 10ms);
  EXPECT_GE(sim_.elapsed() - before, 2 * kHeartbeat);
}

TEST_F(MembershipTest, APartitionedWorkerIsLostAndComesBack) {
  FakeWorker& worker = Join({.name = "w0"});
  network_->Partition("w0");
  ASSERT_TRUE(sim_.RunUntil([&] { return Info("w0").state == WorkerState::kLost; }, 10s));
  const std::uint64_t old_generation = worker.generation();
  network_->Heal("w0");
  ASSERT_TRUE(sim_.RunUntil([&] { return worker.joins() == 2; }, 30s));
  EXPECT_GT(worker.generation(), old_generation);
  EXPECT_THAT(Call(), IsOk());
}

TEST_F(MembershipTest, ALostWorkerEndsItsCallsAndThoseBehindIt) {
  FakeWorker& worker = Join({.name = "w0", .redial = false, .work = 10s});
  const Outcome running = Begin({.worker = WorkerId("w0")});
  const Outcome waiting = Begin({.worker = WorkerId("w0")});
  sim_.RunFor(1s);
  ASSERT_FALSE(running->has_value());
  worker.Die();
  EXPECT_THAT(Finish(running, 1s), StatusIs(StatusCode::kUnavailable, "worker_lost"));
  EXPECT_THAT(Finish(waiting, 1s), StatusIs(StatusCode::kUnavailable, "worker_lost"));
  EXPECT_THAT(Call({.worker = WorkerId("w0")}), StatusIs(StatusCode::kUnavailable, "worker_lost"));
}

TEST_F(MembershipTest, AWorkerThatDialsTwiceReplacesItsOlderSelf) {
  FakeWorker& older = Join({.name = "w0", .redial = false, .work = 10s});
  const Outcome running = Begin();
  sim_.RunFor(1s);
  FakeWorker& newer = Join({.name = "w0"});
  EXPECT_THAT(Finish(running, 1s), StatusIs(StatusCode::kUnavailable, "worker_lost"));
  EXPECT_GT(newer.generation(), older.generation());
  EXPECT_EQ(membership_->Workers().size(), 1U);
  sim_.RunFor(5s);
  EXPECT_FALSE(older.joined());
  EXPECT_THAT(Call(), IsOk());
}

TEST_F(MembershipTest, StaleFramesAreDroppedAndCounted) {
  FakeWorker& worker = Join({.name = "w0", .work = 2s});
  const Outcome running = Begin();
  sim_.RunFor(100ms);
  Envelope older_generation{kEpoch, worker.generation() - 1,
                            Response{1, OkStatus(), SampleTextsReply{{"stale"}, 1, {}}}};
  Envelope older_epoch{kEpoch - 1, worker.generation(),
                       Response{1, OkStatus(), SampleTextsReply{{"stale"}, 1, {}}}};
  ASSERT_THAT(*sim_.Await(worker.SendRaw(older_generation)), IsOk());
  ASSERT_THAT(*sim_.Await(worker.SendRaw(older_epoch)), IsOk());
  EXPECT_THAT(Finish(running), IsOkAndHolds(ReplyBody(SampleTextsReply{{"w0"}, 1, {}})));
  EXPECT_EQ(Info("w0").stale_frames, 2U);
}

TEST_F(MembershipTest, AResponseToNoCallIsDroppedAndCounted) {
  FakeWorker& worker = Join({.name = "w0"});
  Envelope unasked{kEpoch, worker.generation(),
                   Response{77, OkStatus(), SampleTextsReply{{"unasked"}, 1, {}}}};
  ASSERT_THAT(*sim_.Await(worker.SendRaw(unasked)), IsOk());
  sim_.RunFor(100ms);
  EXPECT_EQ(Info("w0").stale_frames, 1U);
  EXPECT_EQ(Info("w0").state, WorkerState::kConnected);
}

TEST_F(MembershipTest, AMessageThatOnlyTheCoordinatorSendsEndsTheConnection) {
  FakeWorker& worker = Join({.name = "w0", .redial = false});
  Envelope wrong{kEpoch, worker.generation(), worker::protocol::Cancel{1}};
  ASSERT_THAT(*sim_.Await(worker.SendRaw(wrong)), IsOk());
  sim_.RunFor(100ms);
  EXPECT_EQ(Info("w0").state, WorkerState::kLost);
}

TEST_F(MembershipTest, CallsOnOneWorkerRunOneAfterTheOther) {
  Join({.name = "w0", .work = 1s});
  std::vector<Outcome> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(Begin());
  sim_.RunFor(2500ms);
  EXPECT_TRUE(calls[1]->has_value());
  EXPECT_FALSE(calls[2]->has_value());
  for (const Outcome& call : calls) EXPECT_THAT(Finish(call), IsOk());
}

TEST_F(MembershipTest, AQuestionPassesWorkThatIsUnderWay) {
  FakeWorker& worker = Join({.work = 200ms});
  const Outcome work = sim_.Begin(membership_->Call(worker::protocol::Solve{}, CallOptions{}));
  sim_.RunFor(50ms);
  const Outcome question = Begin();
  sim_.RunFor(50ms);
  EXPECT_EQ(worker.requests(), (std::vector<std::string>{"solve", "probe_ranks"}))
      << "it does not wait for the work's end";
  EXPECT_FALSE(work->has_value());
  EXPECT_THAT(Finish(work), IsOk());
  EXPECT_THAT(Finish(question), IsOk());
}

TEST_F(MembershipTest, TheLineIsBounded) {
  Join({.name = "w0", .work = 1h});
  std::vector<Outcome> calls;
  // one runs, kQueueMax wait
  for (std::size_t i = 0; i < kQueueMax + 1; ++i) calls.push_back(Begin({.timeout = 10s}));
  sim_.RunFor(1ms);
  EXPECT_THAT(Call(), StatusIs(StatusCode::kResourceExhausted, "queue_full"));
  for (const Outcome& call : calls)
    EXPECT_THAT(Finish(call), StatusIs(StatusCode::kDeadlineExceeded));
}

TEST_F(MembershipTest, ACallThatTimesOutTellsTheWorkerAndItsLateAnswerIsNobodys) {
  FakeWorker& worker = Join({.name = "w0", .work = 5s});
  EXPECT_THAT(Call({.timeout = 1s}), StatusIs(StatusCode::kDeadlineExceeded));
  const Outcome next = Begin();
  sim_.RunFor(1s);
  EXPECT_EQ(worker.cancelled(), std::vector<std::uint64_t>{1});
  EXPECT_EQ(worker.requests().size(), 1U) << "the worker is busy until it has answered";
  worker.OnRequest([](const RequestBody&) -> Result<ReplyBody> {
    return ReplyBody(SampleTextsReply{{"second"}, 1, {}});
  });
  EXPECT_THAT(Finish(next), IsOkAndHolds(ReplyBody(SampleTextsReply{{"second"}, 1, {}})));
}

TEST_F(MembershipTest, AWorkerThatDoesNotEndCancelledWorkIsLost) {
  FakeWorker& worker = Join({.name = "w0", .work = 1h});
  const auto work = [&](std::chrono::milliseconds timeout) {
    return sim_.Begin(
        membership_->Call(worker::protocol::DigestState{}, CallOptions{.timeout = timeout}));
  };
  EXPECT_THAT(Finish(work(1s)), StatusIs(StatusCode::kDeadlineExceeded));
  const Outcome waiting = work(10min);
  EXPECT_THAT(Finish(waiting, 2min), StatusIs(StatusCode::kUnavailable, "worker_lost"));
  ASSERT_TRUE(sim_.RunUntil([&] { return worker.joins() == 2; }, 5s)) << "it may come back";
}

TEST_F(MembershipTest, AQuestionThatIsNotEndedCostsNoWorker) {
  FakeWorker& worker = Join({.name = "w0", .work = 1h});
  EXPECT_THAT(Call({.timeout = 1s}), StatusIs(StatusCode::kDeadlineExceeded));
  const Outcome next = Begin({.timeout = 10min});
  sim_.RunFor(2min);
  EXPECT_EQ(worker.joins(), 1);
  EXPECT_EQ(worker.requests().size(), 2U) << "its place is free again";
  EXPECT_FALSE(next->has_value());
}

TEST_F(MembershipTest, ACallIsCancelledWhileItRunsAndWhileItWaits) {
  FakeWorker& worker = Join({.name = "w0", .work = 5s});
  Signal cancel_running(sim_), cancel_waiting(sim_);
  const Outcome running = Begin({.cancel = &cancel_running});
  const Outcome waiting = Begin({.cancel = &cancel_waiting});
  sim_.RunFor(1s);
  cancel_waiting.Set();
  EXPECT_THAT(Finish(waiting, 200ms), StatusIs(StatusCode::kCancelled));
  cancel_running.Set();
  EXPECT_THAT(Finish(running, 200ms), StatusIs(StatusCode::kCancelled));
  sim_.RunFor(100ms);
  EXPECT_EQ(worker.cancelled().size(), 1U) << "a call that was never sent needs no cancellation";
  EXPECT_EQ(worker.requests().size(), 1U);
}

TEST_F(MembershipTest, ProgressReachesTheCaller) {
  Join({.name = "w0"});
  std::vector<Progress> reports;
  EXPECT_THAT(Call({.on_progress = [&](const Progress& progress) { reports.push_back(progress); }}),
              IsOk());
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].phase, "work");
  EXPECT_EQ(reports[0].total, 2U);
}

TEST_F(MembershipTest, AFailureOfTheWorkerComesThroughAsItIs) {
  FakeWorker& worker = Join({.name = "w0"});
  worker.OnRequest([](const RequestBody&) -> Result<ReplyBody> {
    return Status(StatusCode::kFailedPrecondition, "state_not_live", "ensure it first");
  });
  EXPECT_THAT(Call(), StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
  EXPECT_EQ(Info("w0").state, WorkerState::kConnected);
}

TEST_F(MembershipTest, WithoutAWorkerACallWaitsForOneToJoin) {
  const Outcome call = Begin({.timeout = 30s});
  sim_.RunFor(2s);
  EXPECT_FALSE(call->has_value());
  Join({.name = "w0"});
  EXPECT_THAT(Finish(call), IsOk());
}

TEST_F(MembershipTest, WithoutAWorkerAllTheTimeACallSaysSo) {
  EXPECT_THAT(Call({.timeout = 3s}), StatusIs(StatusCode::kUnavailable, "no_worker"));
  EXPECT_THAT(*sim_.Await(membership_->WaitForWorker(sim_.clock().Now() + 1s)),
              StatusIs(StatusCode::kDeadlineExceeded));
}

TEST_F(MembershipTest, WhoServesIsSaid) {
  Join({.name = "w0", .group = "g0"});
  FakeWorker& half = Join({.name = "w1", .group = "g1", .rank = 0, .world_size = 2});
  EXPECT_TRUE(Info("w0").serves);
  EXPECT_FALSE(Info("w1").serves) << "rank 1 is missing";
  Join({.name = "w2", .group = "g1", .rank = 1, .world_size = 2});
  sim_.RunFor(1s);
  EXPECT_TRUE(Info("w1").serves);
  EXPECT_FALSE(Info("w2").serves) << "it follows";
  EXPECT_EQ(Serving(membership_->Workers()).size(), 2U);
  half.Die();
  sim_.RunFor(10ms);
  EXPECT_FALSE(Info("w1").serves);
}

TEST_F(MembershipTest, AStateStaysWithItsWorkerUntilThatIsLost) {
  FakeWorker& first = Join({.name = "w0", .group = "g0", .redial = false});
  Join({.name = "w1", .group = "g1"});
  const Result<WorkerId> picked = Pick(StateOf(1));
  ASSERT_THAT(picked, IsOkAndHolds(WorkerId("w0")));
  const Outcome busy = Begin({.worker = *picked});
  sim_.RunFor(1ms);
  EXPECT_THAT(Pick(StateOf(1)), IsOkAndHolds(WorkerId("w0"))) << "though it is busy";
  EXPECT_THAT(Pick(StateOf(2)), IsOkAndHolds(WorkerId("w1")))
      << "a new state goes to who has least to do";
  EXPECT_THAT(Finish(busy), IsOk());
  first.Die();
  sim_.RunFor(1s);
  EXPECT_THAT(Pick(StateOf(1)), IsOkAndHolds(WorkerId("w1")));
}

TEST_F(MembershipTest, AStateGoesWhereItsBaseIsRatherThanDisplaceAnother) {
  Join({.name = "w0", .group = "g0"});
  Join({.name = "w1", .group = "g1"});
  Load("w0", BaseOf(1));
  Load("w1", BaseOf(2));
  EXPECT_THAT(Pick(StateOf(1), 1s, BaseOf(1)), IsOkAndHolds(WorkerId("w0")));
  EXPECT_THAT(Pick(StateOf(2), 1s, BaseOf(2)), IsOkAndHolds(WorkerId("w1")));
  const Outcome busy = Begin({.worker = WorkerId("w1")});
  sim_.RunFor(1ms);
  EXPECT_THAT(Pick(StateOf(3), 1s, BaseOf(2)), IsOkAndHolds(WorkerId("w1")))
      << "a call is waited for sooner than a load";
  EXPECT_THAT(Finish(busy), IsOk());
  Load("w0", BaseOf(2));
  Load("w1", BaseOf(1));
  EXPECT_THAT(Pick(StateOf(1), 1s, BaseOf(1)), IsOkAndHolds(WorkerId("w1")))
      << "what w0 had live is gone with its base";
}

TEST_F(MembershipTest, AWorkerThatIsBusyWithItsBaseIsTakenToHoldIt) {
  Join({.name = "w0", .group = "g0"});
  Join({.name = "w1", .group = "g1"});
  Load("w0", BaseOf(1));
  Load("w1", BaseOf(3));
  EXPECT_THAT(TryLoad("w0", BaseOf(2)), IsOk());
  EXPECT_THAT(TryLoad("w0", BaseOf(1)), StatusIs(StatusCode::kUnavailable, "base_busy"))
      << "it has its turn";
  EXPECT_THAT(Pick(StateOf(2), 1s, BaseOf(2)), IsOkAndHolds(WorkerId("w0")));
  Load("w1", BaseOf(1));
  EXPECT_THAT(Pick(StateOf(1), 1s, BaseOf(1)), IsOkAndHolds(WorkerId("w1")));
}

TEST_F(MembershipTest, ABaseThatIsWorkedOnIsNotToBeDisplacedWhereAnotherIsOnlyAsked) {
  FakeWorker& solver = Join({.name = "w0", .group = "g0"});
  Join({.name = "w1", .group = "g1"});
  Load("w0", BaseOf(1));
  Load("w1", BaseOf(2));
  solver.SetWork(1min);
  const Outcome solving = sim_.Begin(
      membership_->Call(worker::protocol::Solve{}, {.worker = WorkerId("w0"), .timeout = 5min}));
  std::vector<Outcome> questions;
  for (int i = 0; i < 5; ++i) questions.push_back(Begin({.worker = WorkerId("w1"), .timeout = 1h}));
  sim_.RunFor(1ms);
  EXPECT_THAT(Pick(StateOf(3), 1s, BaseOf(3)), IsOkAndHolds(WorkerId("w1")));
  EXPECT_THAT(Finish(solving), IsOk());
  for (const Outcome& question : questions) EXPECT_THAT(Finish(question), IsOk());
}

TEST_F(MembershipTest, ALoadThatItsCallerGaveUpIsNotTakenForWhatTheWorkerHolds) {
  FakeWorker& busy = Join({.name = "w0", .group = "g0"});
  Load("w0", BaseOf(1));
  busy.SetWork(20s);
  busy.SetReport(3s);
  RequestBody work =
      worker::protocol::Evaluate{.base = BaseOf(1), .state = StateOf(1), .facts = {}};
  const Outcome solving =
      sim_.Begin(membership_->Call(std::move(work), {.worker = WorkerId("w0")}));
  sim_.RunFor(1s);
  ASSERT_THAT(Pick(StateOf(2), 1s, BaseOf(2)), IsOkAndHolds(WorkerId("w0"))) << "there is no other";
  Signal cancel(sim_);
  RequestBody load = worker::protocol::LoadBase{BaseOf(2), "models", {}};
  const Outcome given_up =
      sim_.Begin(membership_->Call(std::move(load), {.worker = WorkerId("w0"), .cancel = &cancel}));
  sim_.RunFor(100ms);
  EXPECT_THAT(Pick(StateOf(1), 1s, BaseOf(1)), IsOkAndHolds(WorkerId("w0")))
      << "it will be refused";
  cancel.Set();
  EXPECT_THAT(Finish(given_up), StatusIs(StatusCode::kCancelled));
  sim_.RunFor(5s);
  Join({.name = "w1", .group = "g1"});
  EXPECT_THAT(Pick(StateOf(2), 1s, BaseOf(2)), IsOkAndHolds(WorkerId("w1")))
      << "w0 does not hold that base";
  EXPECT_THAT(Pick(StateOf(1), 1s, BaseOf(1)), IsOkAndHolds(WorkerId("w0")));
  EXPECT_THAT(Finish(solving), IsOk());
}

TEST_F(MembershipTest, StoppingEndsEveryCallAndEveryConnection) {
  FakeWorker& worker = Join({.name = "w0", .redial = false, .work = 1h});
  const Outcome running = Begin();
  const Outcome waiting = Begin();
  sim_.RunFor(1s);
  ASSERT_EQ(sim_.Await(Ended(membership_->Stop())), true);
  EXPECT_THAT(Finish(running, 1s), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(Finish(waiting, 1s), StatusIs(StatusCode::kCancelled));
  sim_.RunFor(3s);
  EXPECT_FALSE(worker.joined());
}

TEST_F(MembershipTest, ConnectionsThatHaveNotSaidHelloAreBounded) {
  const auto crowd = network_->Host("crowd");
  std::vector<std::shared_ptr<worker::protocol::Connection>> connections;
  for (int i = 0; i < 300; ++i)
    connections.push_back(**sim_.Await(crowd->Dial(kAddress, sim_.clock().Now() + 1s)));
  sim_.RunFor(100ms);
  const auto refused = *sim_.Await(connections.back()->Receive(sim_.clock().Now() + 100ms));
  EXPECT_THAT(refused, StatusIs(StatusCode::kUnavailable)) << "the last of the crowd still waits";
  FakeWorker& worker = Dial({.name = "w0"});
  EXPECT_TRUE(sim_.RunUntil([&] { return worker.joined(); }, 30s))
      << "a worker gets in when the crowd has been shown out";
}

}  // namespace
}  // namespace emend::coordinator::membership::membership_test
