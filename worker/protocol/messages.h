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
  friend bool operator==(const Hello&, const Hello&) = default;
};

// The coordinator's answer; the connection is then in use.
struct Welcome {
  std::uint64_t store_epoch = 0;   // rises with each start of emendd on its store
  std::uint64_t generation = 0;    // of the group; rises whenever a rank joins or is lost
  std::uint32_t heartbeat_ms = 0;  // how often each side sends one; silence of three of them is death
  friend bool operator==(const Welcome&, const Welcome&) = default;
};

// Or a refusal, after which the connection closes.
struct Refuse {
  std::string slug;
  std::string message;
  friend bool operator==(const Refuse&, const Refuse&) = default;
};

struct Heartbeat {
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

// ---- Requests and their replies -----------------------------------------------------------------------------------------------------------------------------

// Have this base's shard in memory.
struct LoadBase {
  BaseId base;
  std::string folder;                   // readable by the worker
  std::map<std::string, Digest> files;  // SHA-256 by name; the worker loads nothing else
  friend bool operator==(const LoadBase&, const LoadBase&) = default;
};
struct LoadBaseReply {
  std::uint64_t bytes_read = 0;
  double seconds = 0;
  std::string family;
  std::int32_t layers = 0;
  std::int32_t intermediate = 0;                     // d_ff
  std::int32_t context = 0;                          // tokens
  std::map<std::int32_t, std::string> down_tensors;  // layer to the tensor that an edit of it changes
  friend bool operator==(const LoadBaseReply&, const LoadBaseReply&) = default;
};

// Have this state live. If `missing` comes back, send PutEdits and ask again.
struct EnsureState {
  BaseId base;
  StateId state;
  std::vector<EditId> edits;  // the whole active set, sorted
  friend bool operator==(const EnsureState&, const EnsureState&) = default;
};
struct EnsureStateReply {
  std::vector<EditId> missing;  // empty: the state is live
  friend bool operator==(const EnsureStateReply&, const EnsureStateReply&) = default;
};

// The stored payloads (delta/payload.h, kInt16Shift) of edits of this base.
struct PutEdits {
  BaseId base;
  std::vector<std::pair<EditId, std::string>> edits;
  friend bool operator==(const PutEdits&, const PutEdits&) = default;
};
struct PutEditsReply {
  friend bool operator==(const PutEditsReply&, const PutEditsReply&) = default;
};

// Covariances of the keys of these layers over these lines, written to `file` (on a path that coordinator and workers share).
struct ComputeStatistics {
  BaseId base;
  std::vector<std::int32_t> layers;
  std::vector<std::string> lines;
  std::uint64_t tokens_max = 0;  // 0: all
  std::string file;
  friend bool operator==(const ComputeStatistics&, const ComputeStatistics&) = default;
};
struct ComputeStatisticsReply {
  std::vector<std::int32_t> layers;
  std::uint64_t tokens = 0;
  double seconds = 0;
  friend bool operator==(const ComputeStatisticsReply&, const ComputeStatisticsReply&) = default;
};

struct SolveFact {
  std::string prompt;  // with "{}"
  std::string subject;
  std::string target;
  friend bool operator==(const SolveFact&, const SolveFact&) = default;
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
  friend bool operator==(const Solve&, const Solve&) = default;
};
struct SolvedEdit {
  std::string delta_payload;  // EncodePayload(EditDelta)
  std::string keys_payload;   // EncodePayload(vector<EditKey>)
  std::int32_t steps = 0;     // of the target's optimisation
  double loss = 0;            // at the last of them
  friend bool operator==(const SolvedEdit&, const SolvedEdit&) = default;
};
struct LayerReport {
  std::int32_t layer = 0;
  std::string tensor;
  double update_norm = 0;  // ‖ΔW‖ of this batch
  double weight_norm = 0;  // ‖W‖ before it
  friend bool operator==(const LayerReport&, const LayerReport&) = default;
};
struct SolveReply {
  std::vector<SolvedEdit> edits;  // in the order of the facts
  std::vector<LayerReport> layers;
  std::map<std::string, double> seconds;  // targets, keys, solve, apply
  friend bool operator==(const SolveReply&, const SolveReply&) = default;
};

struct EvaluateFact {
  std::string prompt;  // with "{}"
  std::string subject;
  std::string target;
  std::optional<std::string> old_target;
  std::vector<std::string> paraphrases;
  std::vector<std::string> neighbours;
  friend bool operator==(const EvaluateFact&, const EvaluateFact&) = default;
};
struct Evaluate {
  BaseId base;
  StateId state;
  std::vector<EvaluateFact> facts;
  friend bool operator==(const Evaluate&, const Evaluate&) = default;
};
// All in percent; see docs/reference/glossary.md.
struct EvaluateReply {
  std::uint64_t records = 0;
  double es = 0, ps = 0, ns = 0, score = 0, es_argmax = 0, ps_argmax = 0, ns_argmax = 0;
  double seconds = 0;
  friend bool operator==(const EvaluateReply&, const EvaluateReply&) = default;
};

struct Generate {
  BaseId base;
  StateId state;
  std::string prompt;
  std::int32_t tokens_max = 16;
  std::int32_t top = 5;  // most probable first tokens to report
  friend bool operator==(const Generate&, const Generate&) = default;
};
struct TokenProbability {
  std::string token;
  double probability = 0;
  friend bool operator==(const TokenProbability&, const TokenProbability&) = default;
};
struct GenerateReply {
  std::string text;
  std::int32_t tokens = 0;
  std::vector<TokenProbability> top;
  friend bool operator==(const GenerateReply&, const GenerateReply&) = default;
};

// The roots (delta/tile_digest.h) of the live bytes of the tensors in which this state may differ from its base.
struct DigestState {
  BaseId base;
  StateId state;
  friend bool operator==(const DigestState&, const DigestState&) = default;
};
struct DigestStateReply {
  std::map<std::string, Digest> roots;
  friend bool operator==(const DigestStateReply&, const DigestStateReply&) = default;
};

// Texts that the unedited base makes up (worker/eval/sample.h), `count` for each prefix.
struct SampleTexts {
  BaseId base;
  std::vector<std::string> prefixes;
  std::int32_t count = 1;
  std::int32_t tokens_max = 10;
  std::int32_t top_k = 0;  // 0: the whole vocabulary
  std::uint64_t seed = 0;
  friend bool operator==(const SampleTexts&, const SampleTexts&) = default;
};
struct SampleTextsReply {
  std::vector<std::string> texts;  // with their prefixes; prefix by prefix
  std::uint64_t tokens = 0;        // drawn for them, without those of end of text
  friend bool operator==(const SampleTextsReply&, const SampleTextsReply&) = default;
};

// ---- Groups of several ranks: the coordinator forms them, and speaks to rank 0 from then on ----

// Leave the group, whatever is under way, and open a port for a new line (worker/collective/line.h).
struct OpenLine {
  friend bool operator==(const OpenLine&, const OpenLine&) = default;
};
struct OpenLineReply {
  std::string address;  // where the rank below dials
  friend bool operator==(const OpenLineReply&, const OpenLineReply&) = default;
};

// Join the line whose ports these are.
struct JoinGroup {
  std::uint64_t generation = 0;
  std::int32_t rank = 0;
  std::vector<std::string> addresses;  // by rank
  std::string secret;                  // of this generation of the group
  friend bool operator==(const JoinGroup&, const JoinGroup&) = default;
};
struct JoinGroupReply {
  friend bool operator==(const JoinGroupReply&, const JoinGroupReply&) = default;
};

// To the ranks above 0: do what rank 0 passes on. Ends with the group, always as a failure that says why.
struct Follow {
  friend bool operator==(const Follow&, const Follow&) = default;
};
struct FollowReply {
  friend bool operator==(const FollowReply&, const FollowReply&) = default;
};

// What decoding makes of a request that this build does not know, so that it can be answered with kUnsupported. Never sent.
struct UnknownRequest {
  std::uint16_t kind = 0;
  friend bool operator==(const UnknownRequest&, const UnknownRequest&) = default;
};

using RequestBody = std::variant<LoadBase, EnsureState, PutEdits, ComputeStatistics, Solve, Evaluate, Generate, DigestState, SampleTexts, OpenLine, JoinGroup,
                                 Follow, UnknownRequest>;
using ReplyBody = std::variant<LoadBaseReply, EnsureStateReply, PutEditsReply, ComputeStatisticsReply, SolveReply, EvaluateReply, GenerateReply,
                               DigestStateReply, SampleTextsReply, OpenLineReply, JoinGroupReply, FollowReply>;

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

using Message = std::variant<Hello, Welcome, Refuse, Heartbeat, Request, Progress, Response, Cancel>;

std::string EncodeMessage(const Message& message);
// kDataLoss says what was wrong and where.
Result<Message> DecodeMessage(std::string_view bytes);
// "solve", "ensure_state", ...: for logs and errors.
std::string_view RequestName(const RequestBody& body);

}  // namespace emend::worker::protocol
