// Member: one worker's connection as the coordinator sees it, and the calls that wait for it.
// Inside coordinator/membership only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/membership/membership.h"

namespace emend::coordinator::membership {

// One call from its place in the line to its end. Owned by whoever waits for it and, once sent, by
// the member until the worker answers: a caller that gave up leaves it behind, and the worker stays
// busy until then, or is lost.
struct PendingCall {
  explicit PendingCall(Runtime& runtime) : wake(runtime) {}

  Signal wake;           // set when it is its turn, and again when it has ended
  std::uint64_t id = 0;  // on the connection, once sent
  bool has_turn = false;
  bool ended = false;
  Status status;
  std::optional<worker::protocol::ReplyBody> reply;
  std::optional<BaseId> loads;  // a load_base: of this base,
  std::optional<BaseId> held;   // in place of that one, as far as was known
  std::function<void(const worker::protocol::Progress&)> on_progress;
  std::function<void(const worker::protocol::Piece&)> on_piece;
};

struct CallLine {
  std::size_t width = 1;                                // calls that may have the turn at once
  std::vector<std::shared_ptr<PendingCall>> under_way;  // those that have it
  std::deque<std::shared_ptr<PendingCall>> waiting;     // after them
};

struct Member {
  WorkerInfo info;
  std::shared_ptr<worker::protocol::Connection> connection;
  SteadyTime last_heard;
  bool lost = false;
  // as far as is known: the group of ranks that it may be in has not broken
  bool is_in_line = true;
  std::optional<BaseId> base;  // that it holds, or loads just now; none where that is not known
  std::uint64_t next_call = 1;
  std::array<CallLine, worker::protocol::kLaneCount> lines;  // by lane

  Member();
  CallLine& line(worker::protocol::Lane lane) { return lines[static_cast<std::size_t>(lane)]; }
  const CallLine& line(worker::protocol::Lane lane) const {
    return lines[static_cast<std::size_t>(lane)];
  }
  // The call under way that was sent with this id; null if none was.
  std::shared_ptr<PendingCall> FindSent(std::uint64_t id) const;
  std::size_t load() const;  // calls under way and waiting
};

// A load_base is about to be sent. The worker will refuse another base while it works; otherwise it
// counts as loaded from here on.
void BeginLoad(Member& member, PendingCall& call, const BaseId& base);
// Gives the turn to the next in line, while it is not as wide as it may be.
void AdvanceLine(const Member& member, CallLine& line);
// A call that is under way ends, and what it says of the base held is noted, though its caller may
// have gone; the next one gets its turn. Nothing if it is not under way.
void EndCall(Member& member, const std::shared_ptr<PendingCall>& call, Status status,
             std::optional<worker::protocol::ReplyBody> reply);
// Everything that waits for the member ends with `status`.
void EndAll(Member& member, const Status& status);

}  // namespace emend::coordinator::membership
