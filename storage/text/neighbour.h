// A neighbour of a fact: what the model says there must stay as it is. Seen by both sides.
#pragma once

#include <string>
#include <tuple>

namespace emend::storage::text {

struct Neighbour {
  std::string prompt;       // whole, about another subject
  std::string target = {};  // what the model should go on to say there; empty: nobody said

  static auto Fields(auto& m) { return std::tie(m.prompt, m.target); }
  friend bool operator==(const Neighbour&, const Neighbour&) = default;
};

}  // namespace emend::storage::text
