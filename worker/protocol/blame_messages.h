// Which edits an answer comes from. Part of messages.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "storage/base/ids.h"
#include "worker/protocol/equal_fields.h"

namespace emend::worker::protocol {

// The edits of a live state whose columns act most on a prompt and its answer, and how likely the
// answer is without each of them.
struct Blame {
  using Reply = struct BlameReply;
  BaseId base;
  StateId state;
  std::string prompt;
  std::optional<std::string> answer = {};  // none: what the state says by itself
  std::int32_t tokens_max = 8;             // of that
  std::uint64_t candidates = 10;           // edits that are taken out, one after the other
  static auto Fields(auto& m) {
    return std::tie(m.base, m.state, m.prompt, m.answer, m.tokens_max, m.candidates);
  }
};
struct BlamedEdit {
  EditId edit;
  double influence = 0;        // worker/edit/influence.h
  double log_probability = 0;  // of the whole answer without it, in nats
  static auto Fields(auto& m) { return std::tie(m.edit, m.influence, m.log_probability); }
};
struct BlameReply {
  std::string answer;
  double log_probability = 0;       // of the whole answer on the state, in nats
  double log_probability_base = 0;  // without any edit
  std::vector<BlamedEdit> edits;    // those with most influence first
  static auto Fields(auto& m) {
    return std::tie(m.answer, m.log_probability, m.log_probability_base, m.edits);
  }
};

}  // namespace emend::worker::protocol
