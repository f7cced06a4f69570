// Which settings tuning tries, one after the other, and which of them it chooses. Pure.
//
//   TuneSearch search(defaults, WindowsOf(layer_count, defaults.layers));
//   while (const auto settings = search.Next()) search.Add({*settings, MeasuredWith(*settings)});
//   const Try& chosen = search.tries()[search.Best()];
//
// One setting after the other, each with the best found so far of those before: the layers, then
// how far a target may go, then what its distance weighs. The first try is the defaults. Internal
// to coordinator/operations.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "worker/protocol/solve_settings.h"

namespace emend::coordinator::operations {

using worker::protocol::SolveSettings;

// Of facts solved with some settings. Percent but for counts, nats (kl) and perplexities; NaN where
// nothing was measured.
struct TryMeasures {
  double es = 0, ps = 0, ns = 0;
  std::size_t taken = 0;  // of `facts`
  std::size_t facts = 0;
  double kept = 0;  // answers to neighbours
  double kl = 0;
  double perplexity_before = 0;
  double perplexity_after = 0;

  // What settings are chosen by: the harmonic mean of es, ps, the share of facts taken and kept,
  // as far as they were measured.
  double Mean() const;
};

struct Try {
  SolveSettings settings;
  TryMeasures measures;
  double seconds = 0;
};

using Window = std::vector<LayerIndex>;  // consecutive
// The default layers, and they moved and resized within the first two thirds of the model, as
// kWindows (tune_search.cc) says; each once, the default first.
std::vector<Window> WindowsOf(std::int64_t layer_count, const Window& layers);

// What a search sets, as a request's "settings" and a preset have it.
std::vector<std::pair<std::string, std::string>> TunedSettings(const SolveSettings& settings);

class TuneSearch {
 public:
  // REQUIRES: the first of `windows` are the layers of the defaults.
  TuneSearch(SolveSettings defaults, std::vector<Window> windows);

  std::size_t total() const { return total_; }  // of tries
  // To be added before it is asked again; nothing once the search is over.
  std::optional<SolveSettings> Next();
  void Add(Try made) { tries_.push_back(std::move(made)); }
  const std::vector<Try>& tries() const { return tries_; }
  // The place of the try with the highest mean, of those whose perplexity rose by at most 5 % if
  // there is one. Of those within half a point of it: the one that sets fewest settings otherwise
  // than the defaults, then the highest, then the earliest. REQUIRES: there is a try.
  std::size_t Best() const;

 private:
  const SolveSettings defaults_;
  std::size_t total_ = 0;
  std::deque<SolveSettings> waiting_;  // of the setting that is tried now
  std::size_t scaled_ = 0;             // settings that were begun after the layers
  std::vector<Try> tries_;
};

}  // namespace emend::coordinator::operations
