// Member: one worker's connection as the coordinator sees it, and the calls that wait for it. Inside coordinator/membership only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "coordinator/membership/membership.h"
#include "worker/protocol/lanes.h"

namespace emend::coordinator::membership {

// One call from its place in the line to its end. Owned by whoever waits for it and, once sent, by the member until the worker answers: a caller that gave up
// leaves it behind, and the worker stays busy until then, or is lost.
struct PendingCall {
  explicit PendingCall(Runtime& runtime) : wake(runtime) {}

  Signal wake;  // set when it is its turn, and again when it has ended
  bool has_turn = false;
  bool ended = false;
  Status status;
  std::optional<worker::protocol::ReplyBody> reply;
  std::function<void(const worker::protocol::Progress&)> on_progress;
};

struct CallLine {
  std::uint64_t sent_call = 0;                       // id of the call under way; 0: none
  std::shared_ptr<PendingCall> under_way;            // the call that has the turn
  std::deque<std::shared_ptr<PendingCall>> waiting;  // behind it
};

struct Member {
  WorkerInfo info;
  std::shared_ptr<worker::protocol::Connection> connection;
  SteadyTime last_heard;
  bool lost = false;
  bool serves = false;  // takes calls: alone, or as rank 0 of a group that is formed
  std::uint64_t next_call = 1;
  std::array<CallLine, 2> lines;  // by lane

  CallLine& line(worker::protocol::Lane lane) { return lines[static_cast<std::size_t>(lane)]; }
  // The line whose call under way has this id; null if none has.
  CallLine* LineOf(std::uint64_t call);
  std::size_t load() const;  // calls under way and waiting
};

// Gives the turn to the next in line, if nobody has it.
void AdvanceLine(const Member& member, CallLine& line);
// The call under way ends; the next one gets the turn.
void EndCall(const Member& member, CallLine& line, Status status, std::optional<worker::protocol::ReplyBody> reply);
// Everything that waits for the member ends with `status`.
void EndAll(Member& member, const Status& status);

}  // namespace emend::coordinator::membership
