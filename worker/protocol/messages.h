// What coordinator and workers say to each other. docs/reference/protocol.md lists the frames.
//
// Messages are absolute and idempotent: "this state, these edits, be live", never "apply this";
// saying one twice changes nothing. Each compute or answer request names its state. Every message
// has a canonical encoding (storage/base/encoding.h) and is carried in a frame (frame.h) with store
// epoch and generation. Both sides are of one protocol version: frames of another are refused by
// name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "storage/base/status.h"
#include "worker/protocol/request_table.h"

namespace emend::worker::protocol {

struct Request {
  std::uint64_t id = 0;  // of this connection, rising
  RequestBody body;
  friend bool operator==(const Request&, const Request&) = default;
};
struct Progress {
  std::uint64_t id = 0;
  std::string phase;  // "targets", "keys", "solve", "evaluate", "statistics", "blame"
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  static auto Fields(auto& m) { return std::tie(m.id, m.phase, m.done, m.total); }
};
// What a step of a Complete added to its text. `state` is what gave it: the same
// from the first piece to the last.
struct Piece {
  std::uint64_t id = 0;
  StateId state;
  std::string text;  // whole characters; may be empty, and hold more than one token's text
  std::vector<PieceToken> tokens;
  static auto Fields(auto& m) { return std::tie(m.id, m.state, m.text, m.tokens); }
};
// Either a reply, of the request's kind, or a failure.
struct Response {
  std::uint64_t id = 0;
  Status status;
  std::optional<ReplyBody> body;
  friend bool operator==(const Response&, const Response&) = default;
};
struct Cancel {
  std::uint64_t id = 0;
  static auto Fields(auto& m) { return std::tie(m.id); }
};

using Message =
    std::variant<Hello, Welcome, Refuse, Heartbeat, Request, Progress, Response, Cancel, Piece>;

std::string EncodeMessage(const Message& message);
// kDataLoss says what was wrong and where.
Result<Message> DecodeMessage(std::string_view bytes);

// The reply that a request must have, out of what a call brought: the call's failure; kInternal if
// the reply is of another kind.
template <typename Reply>
Result<Reply> ReplyAs(Result<ReplyBody> reply) {
  if (!reply.ok()) return reply.status();
  if (auto* typed = std::get_if<Reply>(&*reply)) return std::move(*typed);
  return Internal("a worker answered a request with a reply of another kind");
}

}  // namespace emend::worker::protocol
