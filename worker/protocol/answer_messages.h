// What a worker is asked for answers, and what must be in place for them. Part of messages.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "storage/base/ids.h"
#include "worker/protocol/equal_fields.h"

namespace emend::worker::protocol {

// Have this base's shard in memory.
struct LoadBase {
  using Reply = struct LoadBaseReply;
  BaseId base;
  std::string folder;                   // readable by the worker
  std::map<std::string, Digest> files;  // SHA-256 by name; the worker loads nothing else
  // The leaves of the tensors' digests (storage/checkpoint/tile_file.h), and each tensor's root, by
  // name. With them a rank hashes what it reads of the tensors, instead of whole files.
  std::string tile_file = {};
  std::map<std::string, Digest> roots = {};
  static auto Fields(auto& m) { return std::tie(m.base, m.folder, m.files, m.tile_file, m.roots); }
};
struct LoadBaseReply {
  std::uint64_t bytes_read = 0;
  double seconds = 0;
  std::string family;
  std::int32_t layers = 0;
  // d_ff; with experts, as many times as there are tokens for each that passes one of them
  std::int32_t intermediate = 0;
  std::int32_t context = 0;  // tokens
  static auto Fields(auto& m) {
    return std::tie(m.bytes_read, m.seconds, m.family, m.layers, m.intermediate, m.context);
  }
};

// Have this state live. If `missing` comes back, send PutEdits and ask again.
struct EnsureState {
  using Reply = struct EnsureStateReply;
  BaseId base;
  StateId state;
  std::vector<EditId> edits;  // the whole active set, sorted
  static auto Fields(auto& m) { return std::tie(m.base, m.state, m.edits); }
};
struct EnsureStateReply {
  std::vector<EditId> missing;  // empty: the state is live
  static auto Fields(auto& m) { return std::tie(m.missing); }
};

// The stored payloads (delta/payload.h, kInt16Shift) of edits of this base.
struct PutEdits {
  using Reply = struct PutEditsReply;
  BaseId base;
  std::vector<std::pair<EditId, std::string>> edits;
  static auto Fields(auto& m) { return std::tie(m.base, m.edits); }
};
struct PutEditsReply {
  static auto Fields(auto&) { return std::tie(); }
};

struct TokenProbability {
  std::string token;
  double probability = 0;
  static auto Fields(auto& m) { return std::tie(m.token, m.probability); }
};

struct ChatMessage {
  std::string role;  // as chat templates know it: "user", "assistant", ...
  std::string content;
  static auto Fields(auto& m) { return std::tie(m.role, m.content); }
};

// What the model says after a prompt, token by token: a Piece for each step, and
// the reply when it has ended. Many are under way at once.
struct Complete {
  using Reply = struct CompleteReply;
  BaseId base;
  StateId state;
  std::string prompt;
  std::int32_t tokens_max = 16;
  double temperature = 1;  // 0: the likeliest token
  double top_p = 1;        // of the likeliest tokens that together have this probability
  std::int32_t top_k = 0;  // of so many likeliest tokens; 0: of all
  std::uint64_t seed = 0;
  std::vector<std::string> stop;  // the text ends before the first of these
  // likeliest tokens to report with each token; negative: report no tokens
  std::int32_t top = -1;
  // a conversation, which the base's chat template makes the prompt of; none: `prompt` is it
  std::vector<ChatMessage> messages = {};
  std::vector<std::int32_t> tokens = {};  // the prompt as token ids, in place of `prompt`
  bool echo = false;                      // the text begins with the prompt's, its tokens named
  static auto Fields(auto& m) {
    return std::tie(m.base, m.state, m.prompt, m.tokens_max, m.temperature, m.top_p, m.top_k,
                    m.seed, m.stop, m.top, m.messages, m.tokens, m.echo);
  }
};
struct PieceToken {
  std::string token;
  std::optional<double> log_probability;  // none: the first token of an echo
  std::uint64_t text_begin = 0;           // where its bytes begin in the completion's text
  std::vector<TokenProbability> top;
  static auto Fields(auto& m) { return std::tie(m.token, m.log_probability, m.text_begin, m.top); }
};
struct CompleteReply {
  // it ended at tokens_max or at the context's end; else at an end of text or before a stop text
  bool is_cut = false;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;
  static auto Fields(auto& m) { return std::tie(m.is_cut, m.prompt_tokens, m.completion_tokens); }
};

}  // namespace emend::worker::protocol
