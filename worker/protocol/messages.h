// What coordinator and workers say to each other. docs/reference/protocol.md lists the frames.
//
// Messages are absolute and idempotent: "this state, these edits, be live", never "apply this"; saying one twice changes nothing. Each compute or answer
// request names its state. Every message has a canonical encoding (storage/base/encoding.h) and is carried in a frame (frame.h) with store epoch and
// generation. A worker that receives an unknown message type answers kUnsupported; fields are only ever appended, with a new version, and version N−1 is still
// read.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"

namespace emend::worker::protocol {

inline constexpr std::uint16_t kProtocolVersion = 1;

// ---- Joining ------------------------------------------------------------------------------------------------------------------------------------------------

// First message of a worker.
struct Hello {
  std::uint16_t protocol_version = kProtocolVersion;
  std::string token;  // the secret of the coordinator's token file
  WorkerId worker;    // stable over restarts of the process ("w0")
  std::string group;  // worker group ("g0"); ranks of one group hold one model together
  std::int32_t rank = 0;
  std::int32_t world_size = 1;
  std::string device;  // "cpu", "cuda:0"
  std::int32_t threads = 1;
  std::uint64_t memory_bytes = 0;  // what it may use; 0: unknown
  std::uint64_t process_id = 0;
};

// The coordinator's answer; the connection is then in use.
struct Welcome {
  std::uint64_t store_epoch = 0;   // rises with each start of emendd on its store
  std::uint64_t generation = 0;    // of the group; rises whenever a rank joins or is lost
  std::uint32_t heartbeat_ms = 0;  // how often each side sends one; silence of three of them is death
};

// Or a refusal, after which the connection closes.
struct Refuse {
  std::string slug;
  std::string message;
};

struct Heartbeat {};

// ---- Requests and their replies -----------------------------------------------------------------------------------------------------------------------------

// Have this base's shard in memory.
struct LoadBase {
  BaseId base;
  std::string folder;  // readable by the worker
};
struct LoadBaseReply {
  std::uint64_t bytes_read = 0;
  double seconds = 0;
  std::string family;
  std::int32_t layers = 0;
  std::int32_t intermediate = 0;                     // d_ff
  std::int32_t context = 0;                          // tokens
  std::map<std::int32_t, std::string> down_tensors;  // layer to the tensor that an edit of it changes
};

// Have this state live. If `missing` comes back, send PutEdits and ask again.
struct EnsureState {
  BaseId base;
  StateId state;
  std::vector<EditId> edits;  // the whole active set, sorted
};
struct EnsureStateReply {
  std::vector<EditId> missing;  // empty: the state is live
};

// The stored payloads (delta/payload.h, kInt16Shift) of edits of this base.
struct PutEdits {
  BaseId base;
  std::vector<std::pair<EditId, std::string>> edits;
};
struct PutEditsReply {};

// Covariances of the keys of these layers over these lines, written to `file` (on a path that coordinator and workers share).
struct ComputeStatistics {
  BaseId base;
  std::vector<std::int32_t> layers;
  std::vector<std::string> lines;
  std::uint64_t tokens_max = 0;  // 0: all
  std::string file;
};
struct ComputeStatisticsReply {
  std::vector<std::int32_t> layers;
  std::uint64_t tokens = 0;
  double seconds = 0;
};

struct SolveFact {
  std::string prompt;  // with "{}"
  std::string subject;
  std::string target;
};

// Solve one batch on a live state. Changes no state: what comes back becomes one only when the coordinator says so.
struct Solve {
  BaseId base;
  StateId state;
  std::string method;                                         // "memit"
  std::vector<std::pair<std::string, std::string>> settings;  // MEMIT's names (worker/edit/settings.h), later ones win
  std::vector<std::vector<std::string>> context_templates;    // groups; the first holds the bare "{}"
  std::string statistics_file;
  std::vector<SolveFact> facts;
};
struct SolvedEdit {
  std::string delta_payload;  // EncodePayload(EditDelta)
  std::string keys_payload;   // EncodePayload(vector<EditKey>)
  std::int32_t steps = 0;     // of the target's optimisation
  double loss = 0;            // at the last of them
};
struct LayerReport {
  std::int32_t layer = 0;
  std::string tensor;
  double update_norm = 0;  // ‖ΔW‖ of this batch
  double weight_norm = 0;  // ‖W‖ before it
};
struct SolveReply {
  std::vector<SolvedEdit> edits;  // in the order of the facts
  std::vector<LayerReport> layers;
  std::map<std::string, double> seconds;  // targets, keys, solve, apply
};

struct EvaluateFact {
  std::string prompt;  // with "{}"
  std::string subject;
  std::string target;
  std::optional<std::string> old_target;
  std::vector<std::string> paraphrases;
  std::vector<std::string> neighbours;
};
struct Evaluate {
  BaseId base;
  StateId state;
  std::vector<EvaluateFact> facts;
};
// All in percent; see docs/reference/glossary.md.
struct EvaluateReply {
  std::uint64_t records = 0;
  double es = 0, ps = 0, ns = 0, score = 0, es_argmax = 0, ps_argmax = 0, ns_argmax = 0;
  double seconds = 0;
};

struct Generate {
  BaseId base;
  StateId state;
  std::string prompt;
  std::int32_t tokens_max = 16;
  std::int32_t top = 5;  // most probable first tokens to report
};
struct TokenProbability {
  std::string token;
  double probability = 0;
};
struct GenerateReply {
  std::string text;
  std::int32_t tokens = 0;
  std::vector<TokenProbability> top;
};

// The roots (delta/tile_digest.h) of the live bytes of the tensors in which this state may differ from its base.
struct DigestState {
  BaseId base;
  StateId state;
};
struct DigestStateReply {
  std::map<std::string, Digest> roots;
};

// What decoding makes of a request that this build does not know, so that it can be answered with kUnsupported. Never sent.
struct UnknownRequest {
  std::uint16_t kind = 0;
};

using RequestBody = std::variant<LoadBase, EnsureState, PutEdits, ComputeStatistics, Solve, Evaluate, Generate, DigestState, UnknownRequest>;
using ReplyBody =
    std::variant<LoadBaseReply, EnsureStateReply, PutEditsReply, ComputeStatisticsReply, SolveReply, EvaluateReply, GenerateReply, DigestStateReply>;

struct Request {
  std::uint64_t id = 0;  // of this connection, rising
  RequestBody body;
};
struct Progress {
  std::uint64_t id = 0;
  std::string phase;  // "targets", "keys", "solve", "evaluate", "statistics"
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};
// Either a reply or a failure.
struct Response {
  std::uint64_t id = 0;
  Status status;
  std::optional<ReplyBody> body;
};
struct Cancel {
  std::uint64_t id = 0;
};

using Message = std::variant<Hello, Welcome, Refuse, Heartbeat, Request, Progress, Response, Cancel>;

std::string EncodeMessage(const Message& message);
// kDataLoss says what was wrong and where.
Result<Message> DecodeMessage(std::string_view bytes);
// "solve", "ensure_state", ...: for logs and errors.
std::string_view RequestName(const RequestBody& body);

}  // namespace emend::worker::protocol
