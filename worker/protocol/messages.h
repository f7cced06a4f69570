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
#include <variant>
#include <vector>

#include "storage/base/status.h"
#include "worker/protocol/answer_messages.h"
#include "worker/protocol/joining_messages.h"
#include "worker/protocol/probe_messages.h"
#include "worker/protocol/publication_messages.h"
#include "worker/protocol/work_messages.h"

namespace emend::worker::protocol {

using RequestBody = std::variant<LoadBase, EnsureState, PutEdits, ComputeStatistics, Solve,
                                 Evaluate, Generate, DigestState, SampleTexts, OpenLine, JoinGroup,
                                 Follow, Complete, OptimiseTargets, StepTexts, ProbeRanks,
                                 DigestTiles, ForgetBase, Publish, ReadPublication, AdoptGroup>;
using ReplyBody =
    std::variant<LoadBaseReply, EnsureStateReply, PutEditsReply, ComputeStatisticsReply, SolveReply,
                 EvaluateReply, GenerateReply, DigestStateReply, SampleTextsReply, OpenLineReply,
                 JoinGroupReply, FollowReply, CompleteReply, OptimiseTargetsReply, StepTextsReply,
                 ProbeRanksReply, DigestTilesReply, ForgetBaseReply, PublishReply,
                 ReadPublicationReply, AdoptGroupReply>;

struct Request {
  std::uint64_t id = 0;  // of this connection, rising
  RequestBody body;
  friend bool operator==(const Request&, const Request&) = default;
};
struct Progress {
  std::uint64_t id = 0;
  std::string phase;  // "targets", "keys", "solve", "evaluate", "statistics"
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  friend bool operator==(const Progress&, const Progress&) = default;
};
// What a step of a Complete added to its text. `state` is what gave it: the same
// from the first piece to the last.
struct Piece {
  std::uint64_t id = 0;
  StateId state;
  std::string text;  // whole characters; may be empty, and hold more than one token's text
  std::vector<PieceToken> tokens;
  friend bool operator==(const Piece&, const Piece&) = default;
};
// Either a reply or a failure.
struct Response {
  std::uint64_t id = 0;
  Status status;
  std::optional<ReplyBody> body;
  friend bool operator==(const Response&, const Response&) = default;
};
struct Cancel {
  std::uint64_t id = 0;
  friend bool operator==(const Cancel&, const Cancel&) = default;
};

using Message =
    std::variant<Hello, Welcome, Refuse, Heartbeat, Request, Progress, Response, Cancel, Piece>;

std::string EncodeMessage(const Message& message);
// kDataLoss says what was wrong and where.
Result<Message> DecodeMessage(std::string_view bytes);
// "solve", "ensure_state", ...: for logs and errors.
std::string_view RequestName(const RequestBody& body);

}  // namespace emend::worker::protocol
