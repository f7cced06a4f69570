// WorkerServer: a worker's conversation with its coordinator, or with a gateway: dial, hello,
// requests, heartbeats, until the connection ends.
//
// The control side runs on the runtime's executor and answers heartbeats whatever happens; requests
// run on the runtime's pool, which must have exactly one thread: work one at a time, in order,
// answers and texts in between. An embedded worker ends when its control connection ends; another
// dials again, with growing waits.
//
// What the coordinator asked for ends with its conversation. The group of ranks does not: gateways
// are answered on, until the coordinator is back and forms the group again. The conversation with a
// gateway is a server of its own on the same handlers; a gateway may ask for answers alone.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "storage/base/runtime.h"
#include "worker/protocol/connection.h"
#include "worker/server/handlers.h"

namespace emend::worker::server {

enum class Pulse { kDialling, kConnected };
enum class Caller { kCoordinator, kGateway };

struct WorkerServerOptions {
  std::string address;  // of the coordinator or gateway: "127.0.0.1:41234"
  Caller caller = Caller::kCoordinator;
  protocol::Hello hello;  // who it is; token included
  bool embedded = false;  // ends with its connection instead of dialling again
  // Called when a request goes on for ten minutes after its connection ended: its thread cannot be
  // taken back, so the process should end. May be empty.
  std::function<void()> on_hang = {};
  // Told at each heartbeat that it is connected, at each attempt to dial that it is not. May be
  // empty.
  std::function<void(Pulse)> on_pulse = {};
  // What the rank holds, sent with each heartbeat. Called on the executor. May be empty.
  std::function<protocol::MemoryUse()> memory = {};
};

class WorkerServer {
 public:
  WorkerServer(Runtime& runtime, protocol::Transport& transport, Handlers& handlers,
               WorkerServerOptions options);

  // Until the connection ends (embedded), the coordinator refuses the worker, or Stop(). Ok after
  // Stop() or the end of an embedded connection; else the refusal. A gateway's refusal is asked for
  // again.
  Awaitable<Status> Run();
  void Stop();

 private:
  struct Session;
  struct Told;

  Awaitable<Status> DialAgainAndAgain();
  Awaitable<Status> Converse(std::shared_ptr<protocol::Connection> connection);
  Awaitable<Status> Join(std::shared_ptr<Session> session);
  Awaitable<Status> Receive(std::shared_ptr<Session> session);
  Awaitable<Status> Beat(std::shared_ptr<Session> session);
  void Begin(const std::shared_ptr<Session>& session, protocol::Request request);
  // Until the group is lost, whatever becomes of the conversation. A rank that follows already goes
  // on, and answers whoever asked last when that ends.
  Awaitable<Status> Follow(std::shared_ptr<Session> session, protocol::Request request);
  // At once, whatever the compute thread does, which on ranks above 0 is to follow.
  protocol::AdoptGroupReply Adopt(Session& session) const;
  // To the ranks that wait for work, after whatever the compute thread does. As long as the server
  // runs.
  Awaitable<Status> Tick();
  // Of what a conversation has begun. If it takes too long, on_hang.
  Awaitable<Status> AwaitEnd(std::shared_ptr<Session> session);
  // What the handlers say to a request, at once or in between reports of another.
  Awaitable<Result<protocol::ReplyBody>> Handle(std::shared_ptr<Session> session,
                                                protocol::Request request, Call call);
  std::shared_ptr<Interlude> InterludeOf(protocol::RequestBody request, Call call,
                                         std::shared_ptr<Told> told);
  // Until all that this server has offered is answered: nothing is left in the handlers that would
  // answer a server that is gone. What others have offered is answered as well, but not waited for:
  // gateways may ask without end.
  Awaitable<Status> RunOffered();
  Awaitable<Status> Answer(std::shared_ptr<Session> session, protocol::Request request);
  void Report(Pulse pulse) const;
  void ReportProgress(const std::shared_ptr<Session>& session, protocol::Progress progress);

  Runtime& runtime_;
  protocol::Transport& transport_;
  Handlers& handlers_;
  const WorkerServerOptions options_;
  TaskGroup standing_;  // that outlive a conversation
  Signal stop_;
  bool follows_ = false;                     // rank 0 of a group
  std::shared_ptr<Session> follow_session_;  // that asked last, while it follows
  std::uint64_t follow_id_ = 0;              // and by which request
  std::size_t unanswered_ = 0;               // of what was offered
  bool runs_offered_ = false;                // RunOffered is under way
  std::shared_ptr<Session> session_;         // null between conversations
};

}  // namespace emend::worker::server
