// What a worker is asked to compute: one such request at a time. Part of messages.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "storage/base/ids.h"
#include "storage/text/join.h"
#include "storage/text/neighbour.h"
#include "worker/protocol/solve_settings.h"

namespace emend::worker::protocol {

// Covariances of the keys of these layers over these lines, written to `file` (on a path that
// coordinator and workers share).
struct ComputeStatistics {
  using Reply = struct ComputeStatisticsReply;
  BaseId base;
  std::vector<std::int32_t> layers;
  std::vector<std::string> lines;
  std::uint64_t tokens_max = 0;  // 0: all
  std::string file;
  static auto Fields(auto& m) { return std::tie(m.base, m.layers, m.lines, m.tokens_max, m.file); }
};
struct FrozenExperts {
  std::int32_t layer = 0;
  std::uint64_t experts = 0;
  std::uint64_t frozen = 0;  // that too few tokens passed to be edited
  static auto Fields(auto& m) { return std::tie(m.layer, m.experts, m.frozen); }
};
struct ComputeStatisticsReply {
  std::vector<std::int32_t> layers;
  std::uint64_t tokens = 0;
  double seconds = 0;
  // lines longer than the model's context, and the tokens of them that were left out
  std::uint64_t lines_cut = 0;
  std::uint64_t tokens_cut = 0;
  std::vector<FrozenExperts> frozen = {};  // of each layer with experts
  static auto Fields(auto& m) {
    return std::tie(m.layers, m.tokens, m.seconds, m.lines_cut, m.tokens_cut, m.frozen);
  }
};

struct SolveFact {
  std::string prompt;  // with "{}"
  std::string subject;
  std::string target;
  storage::text::Join join = storage::text::Join::kByText;
  std::string name = {};  // what messages call it: "/facts/3"
  static auto Fields(auto& m) { return std::tie(m.prompt, m.subject, m.target, m.join, m.name); }
};

// The target z of one fact (worker/edit/targets.h).
struct SolvedTarget {
  std::string values;      // little-endian fp32 [d]
  std::int32_t steps = 0;  // of its optimisation
  double loss = 0;         // at the last of them
  static auto Fields(auto& m) { return std::tie(m.values, m.steps, m.loss); }
};

// Find the targets of these facts alone, so that several workers can share a
// batch's facts. Fields as in Solve.
struct OptimiseTargets {
  using Reply = struct OptimiseTargetsReply;
  BaseId base;
  StateId state;
  SolveSettings settings;
  std::vector<SolveFact> facts;
  static auto Fields(auto& m) { return std::tie(m.base, m.state, m.settings, m.facts); }
};
struct OptimiseTargetsReply {
  std::vector<SolvedTarget> targets;  // in the order of the facts
  double seconds = 0;
  static auto Fields(auto& m) { return std::tie(m.targets, m.seconds); }
};

// Solve one batch on a live state. Changes no state: what comes back becomes one only when the
// coordinator says so.
struct Solve {
  using Reply = struct SolveReply;
  BaseId base;
  StateId state;
  SolveSettings settings;       // resolved
  std::string statistics_file;  // empty: none, for a method that goes by gradients
  std::vector<SolveFact> facts;
  // of the facts, as OptimiseTargets found them; empty: find them, too
  std::vector<SolvedTarget> targets = {};
  std::string past_keys_file = {};  // past_keys.h, readable by all ranks; empty: none
  static auto Fields(auto& m) {
    return std::tie(m.base, m.state, m.settings, m.statistics_file, m.facts, m.targets,
                    m.past_keys_file);
  }
};
struct SolvedEdit {
  std::string delta_payload;   // EncodePayload(EditDelta)
  std::string keys_payload;    // EncodePayload(vector<EditKey>)
  std::string target_payload;  // EncodePayload(EditTarget)
  std::int32_t steps = 0;      // of the target's optimisation
  double loss = 0;             // at the last of them
  static auto Fields(auto& m) {
    return std::tie(m.delta_payload, m.keys_payload, m.target_payload, m.steps, m.loss);
  }
};
struct LayerReport {
  std::int32_t layer = 0;
  std::string tensor;      // of the first expert, where there are several
  double update_norm = 0;  // ‖ΔW‖ of this batch
  double weight_norm = 0;  // ‖W‖ before it
  double leverage = 0;     // median over the batch of kᵀC'⁻¹k (worker/edit/memit.cc)
  double weight = 0;       // mom2_update_weight as it was used
  // of the layer (0: it has none); those that the batch changes; those that are frozen
  std::uint64_t experts = 0;
  std::uint64_t experts_changed = 0;
  std::uint64_t experts_frozen = 0;
  static auto Fields(auto& m) {
    return std::tie(m.layer, m.tensor, m.update_norm, m.weight_norm, m.leverage, m.weight,
                    m.experts, m.experts_changed, m.experts_frozen);
  }
};
struct SolveReply {
  std::vector<SolvedEdit> edits;  // in the order of the facts
  std::vector<LayerReport> layers;
  std::map<std::string, double> seconds;  // targets, keys, solve, apply
  static auto Fields(auto& m) { return std::tie(m.edits, m.layers, m.seconds); }
};

struct EvaluateFact {
  std::string prompt;  // with "{}"
  std::string subject;
  std::string target;
  std::optional<std::string> old_target;
  std::vector<std::string> paraphrases;
  std::vector<storage::text::Neighbour> neighbours;
  storage::text::Join join = storage::text::Join::kByText;
  std::string name = {};  // as in SolveFact
  static auto Fields(auto& m) {
    return std::tie(m.prompt, m.subject, m.target, m.old_target, m.paraphrases, m.neighbours,
                    m.join, m.name);
  }
};
struct Evaluate {
  using Reply = struct EvaluateReply;
  BaseId base;
  StateId state;
  std::vector<EvaluateFact> facts;
  // the state whose answers to the neighbours should have stayed; live, as `state` is
  std::optional<StateId> reference = {};
  // perplexity on the held texts, too
  bool drift = false;
  // with a reference: answers behind the chat template, too; with drift also to general questions
  bool chat = false;
  static auto Fields(auto& m) {
    return std::tie(m.base, m.state, m.facts, m.reference, m.drift, m.chat);
  }
};
struct FactAnswer {
  bool taken = false;      // the greedy answer of the prompt is the target, every token of it
  double probability = 0;  // of the whole target
  static auto Fields(auto& m) { return std::tie(m.taken, m.probability); }
};
struct AnsweredQuestion {
  std::string question;
  std::string before;  // by the reference
  std::string after;
  bool same = false;         // token for token
  bool said_before = false;  // about a fact: its target stands in the answer
  bool said = false;
  static auto Fields(auto& m) {
    return std::tie(m.question, m.before, m.after, m.same, m.said_before, m.said);
  }
  friend bool operator==(const AnsweredQuestion&, const AnsweredQuestion&) = default;
};
// What a chat model answers to questions behind its template (worker/eval/questions.h).
struct QuestionReport {
  std::string fault;  // why none was asked; empty if they were
  std::vector<AnsweredQuestion> answers;
  // mean negative log likelihood under the reference, per token, in nats; NaN of no token
  double nll_before = 0;  // of its own answers
  double nll_after = 0;   // of the state's
  static auto Fields(auto& m) { return std::tie(m.fault, m.answers, m.nll_before, m.nll_after); }
  friend bool operator==(const QuestionReport&, const QuestionReport&) = default;
};
// Scores and shares in percent, NaN where nothing was measured; see docs/reference/glossary.md.
inline constexpr std::size_t kChatFactsMax = 50;
struct EvaluateReply {
  std::uint64_t records = 0;
  double es = 0, ps = 0, ns = 0, score = 0, es_argmax = 0, ps_argmax = 0, ns_argmax = 0;
  std::vector<FactAnswer> facts;  // in the order asked
  std::uint64_t neighbours = 0;   // compared with the reference
  double kept = 0;                // of them, where its greedy answer stayed
  double kl = 0;                  // mean over them, of the next token, in nats
  // of each neighbour that has a target, fact by fact: whether it is said there
  std::vector<FactAnswer> neighbour_targets;
  double perplexity = 0;  // of the held texts
  // none: the model has no chat template, or they were not asked for
  std::optional<QuestionReport> questions;
  // of facts, kChatFactsMax at most, evenly taken; none as above
  std::optional<QuestionReport> chat;
  double seconds = 0;
  static auto Fields(auto& m) {
    return std::tie(m.records, m.es, m.ps, m.ns, m.score, m.es_argmax, m.ps_argmax, m.ns_argmax,
                    m.facts, m.neighbours, m.kept, m.kl, m.neighbour_targets, m.perplexity,
                    m.questions, m.chat, m.seconds);
  }
};

// The roots (delta/tile_digest.h) of the live bytes of the tensors in which this state may differ
// from its base.
struct DigestState {
  using Reply = struct DigestStateReply;
  BaseId base;
  StateId state;
  static auto Fields(auto& m) { return std::tie(m.base, m.state); }
};
struct DigestStateReply {
  std::map<std::string, Digest> roots;
  static auto Fields(auto& m) { return std::tie(m.roots); }
};

// The leaves of one of those tensors, by the rank that holds the tile: asked for
// where its root is not what it should be.
struct DigestTiles {
  using Reply = struct DigestTilesReply;
  BaseId base;
  StateId state;
  std::string tensor;
  static auto Fields(auto& m) { return std::tie(m.base, m.state, m.tensor); }
};
struct DigestTilesReply {
  std::vector<std::map<std::uint64_t, Digest>> tiles;  // of each rank: leaf by tile
  static auto Fields(auto& m) { return std::tie(m.tiles); }
};

// What the worker holds of this base is not to be trusted: it lets go of all of
// it, and reads and checks it again at the next LoadBase.
struct ForgetBase {
  using Reply = struct ForgetBaseReply;
  BaseId base;
  std::string why;
  static auto Fields(auto& m) { return std::tie(m.base, m.why); }
};
struct ForgetBaseReply {
  static auto Fields(auto&) { return std::tie(); }
};

// Texts that the unedited base makes up (worker/eval/sample.h), `count` for each prefix.
struct SampleTexts {
  using Reply = struct SampleTextsReply;
  BaseId base;
  std::vector<std::string> prefixes;
  std::int32_t count = 1;
  std::int32_t tokens_max = 10;
  std::int32_t top_k = 0;  // 0: the whole vocabulary
  std::uint64_t seed = 0;
  bool contexts = false;  // of the chat template, too
  static auto Fields(auto& m) {
    return std::tie(m.base, m.prefixes, m.count, m.tokens_max, m.top_k, m.seed, m.contexts);
  }
};
struct SampleTextsReply {
  std::vector<std::string> texts;  // with their prefixes; prefix by prefix
  std::uint64_t tokens = 0;        // drawn for them, without those of end of text
  // A text that "{}" stands for in a conversation: said by the user, up to where the assistant
  // begins. None for a base without a chat template, or one that cannot be rendered.
  std::vector<std::string> contexts;
  static auto Fields(auto& m) { return std::tie(m.texts, m.tokens, m.contexts); }
};

}  // namespace emend::worker::protocol
