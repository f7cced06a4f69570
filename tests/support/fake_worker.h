// A worker without a model, for tests of whatever talks to workers: it joins, beats, and answers
// requests from a table, in virtual or real time. Bases take turns on it as on the real one
// (worker/protocol/base_turns.h).
//
//   FakeWorker worker(sim, *network->Host("w0"), {.name = "w0", .coordinator = "coordinator:1",
//       .token = "secret"});
//   worker.Start();
//   worker.OnRequest([](const Request& request) { return Answer(SampleTextsReply{{" Ann"}}); });
//   worker.Die();                      // no goodbye: its connection closes
//
// Used on the runtime's executor only. Stop() must be awaited before it dies.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/runtime.h"
#include "worker/protocol/base_turns.h"
#include "worker/protocol/connection.h"

namespace emend::test {

struct FakeWorkerOptions {
  std::string name = "w0";
  std::string group = "g0";
  std::int32_t rank = 0;
  std::int32_t world_size = 1;
  std::string coordinator = "coordinator:1";
  std::string token = "secret";
  bool redial = true;                  // after a connection ended
  std::chrono::milliseconds work{10};  // how long a request takes
  // told of joins, requests, answers, cancellations. May be empty
  std::function<void(std::string_view)> observer = {};
};

class FakeWorker {
 public:
  using Handler = std::function<Result<worker::protocol::ReplyBody>(
      const worker::protocol::RequestBody& request)>;

  FakeWorker(Runtime& runtime, worker::protocol::Transport& transport, FakeWorkerOptions options);
  ~FakeWorker();

  void Start();
  Awaitable<void> Stop();
  // Replaces what requests are answered with, a Complete too: with the one text of a
  // SampleTextsReply. The first handler answers everything with such a text, its name.
  void OnRequest(Handler handler) { handler_ = std::move(handler); }
  // While mute it neither beats nor answers, though it stays connected.
  enum class Voice { kHeard, kMute };
  // Heard again after it was mute, it begins again: on a connection that goes on, nothing is ever
  // lost in between.
  void SetVoice(Voice voice);
  // How long a request takes from now on.
  void SetWork(std::chrono::milliseconds work) { work_ = work; }
  // One of this name, instead.
  void SetWorkOf(const std::string& request, std::chrono::milliseconds work) {
    work_of_[request] = work;
  }
  // How long what comes in between waits for the work's next report.
  void SetReport(std::chrono::milliseconds report) { report_ = report; }
  // As if the ranks of its group had lost each other: what it follows ends.
  void LoseGroup();
  // Closes the connection without a word.
  void Die();
  // Sends these as they are: for frames of an older epoch or generation.
  Awaitable<Status> SendRaw(worker::protocol::Envelope envelope);

  bool joined() const { return joined_; }
  std::uint64_t generation() const { return generation_; }
  std::uint64_t store_epoch() const { return store_epoch_; }
  std::uint64_t last_request() const { return last_request_; }  // of its connection
  // names, in order of arrival
  const std::vector<std::string>& requests() const { return requests_; }
  const std::vector<std::uint64_t>& cancelled() const { return cancelled_; }
  const std::optional<worker::protocol::Refuse>& refusal() const { return refusal_; }
  int joins() const { return joins_; }

 private:
  Awaitable<Status> Run();
  Awaitable<Status> Converse(std::shared_ptr<worker::protocol::Connection> connection);
  Awaitable<Status> Beat(std::shared_ptr<worker::protocol::Connection> connection);
  // Requests about groups are answered here; what is left is the handler's.
  Awaitable<Result<worker::protocol::ReplyBody>> Handle(const worker::protocol::RequestBody& body);
  Result<worker::protocol::ReplyBody> AskHandler(const worker::protocol::RequestBody& body);
  std::optional<worker::protocol::HeldBase> Held() const;
  // Takes its time, but refuses at once.
  Awaitable<Result<worker::protocol::ReplyBody>> Work(worker::protocol::RequestBody body);
  Awaitable<Status> Answer(std::shared_ptr<worker::protocol::Connection> connection,
                           worker::protocol::Request request);
  // A text of tokens_max pieces, each what the handler says to it, and a work's time behind the one
  // before.
  Awaitable<Result<worker::protocol::ReplyBody>> Complete(
      std::shared_ptr<worker::protocol::Connection> connection, std::uint64_t id,
      worker::protocol::Complete request);
  worker::protocol::Envelope Wrap(worker::protocol::Message message) const {
    return {store_epoch_, generation_, std::move(message)};
  }
  SteadyTime In(std::chrono::milliseconds duration) const {
    return runtime_.clock().Now() + duration;
  }
  void Note(const std::string& what) const;

  Runtime& runtime_;
  worker::protocol::Transport& transport_;
  const FakeWorkerOptions options_;
  std::chrono::milliseconds work_;
  std::map<std::string, std::chrono::milliseconds> work_of_;  // by name, where it is another
  std::chrono::milliseconds report_{0};
  Handler handler_;
  TaskGroup tasks_;
  Signal stop_;
  std::shared_ptr<worker::protocol::Connection> connection_;
  Signal group_lost_;
  // in the line that it joined last, while that stands
  std::optional<worker::protocol::GroupPlace> place_;
  Voice voice_ = Voice::kHeard;
  worker::protocol::BaseTurns turns_;
  std::optional<BaseId> base_;  // loaded
  int works_ = 0;               // requests of Lane::kWork under way
  int texts_ = 0;
  bool joined_ = false;
  int joins_ = 0;
  std::uint64_t store_epoch_ = 0;
  std::uint64_t generation_ = 0;
  std::uint64_t last_request_ = 0;
  std::chrono::milliseconds heartbeat_{500};
  std::vector<std::string> requests_;
  std::vector<std::uint64_t> cancelled_;
  std::optional<worker::protocol::Refuse> refusal_;
};

}  // namespace emend::test
