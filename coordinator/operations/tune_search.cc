#include "coordinator/operations/tune_search.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>
#include <utility>

namespace emend::coordinator::operations {
namespace {

// In lengths of the default window; cut to whole layers.
struct WindowChange {
  double moved = 0;  // its last layer, to later ones
  double size = 1;   // at least one layer
};
constexpr WindowChange kWindows[] = {{.moved = 0},  {.moved = 0.5}, {.moved = 1}, {.moved = 2},
                                     {.size = 0.5}, {.size = 0},    {.size = 2}};

// Factors of powers of two, or nearly so, leave numbers that are short to write.
constexpr double kClampFactors[] = {0.5, 1.5, 2};
constexpr double kDecayFactors[] = {0.25, 4};
struct ScaledSetting {
  double SolveSettings::* field;
  std::span<const double> factors;  // of the default
};
constexpr ScaledSetting kScaled[] = {{&SolveSettings::clamp_norm_factor, kClampFactors},
                                     {&SolveSettings::v_weight_decay, kDecayFactors}};
constexpr std::string_view kTuned[] = {"layers", "clamp_norm_factor", "v_weight_decay"};

constexpr double kPerplexityRatioMax = 1.05;
constexpr double kEqualMeans = 0.5;

bool Drifts(const Try& made) {
  return made.measures.perplexity_after > kPerplexityRatioMax * made.measures.perplexity_before;
}

// How many settings are another.
std::size_t Distance(const SolveSettings& a, const SolveSettings& b) {
  const auto texts = TunedSettings(a), others = TunedSettings(b);
  std::size_t count = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) count += texts[i] == others[i] ? 0 : 1;
  return count;
}

}  // namespace

double TryMeasures::Mean() const {
  double sum = 0, count = 0;
  const double share = 100.0 * static_cast<double>(taken) / static_cast<double>(facts);
  for (const double value : {es, ps, share, kept}) {
    if (std::isnan(value)) continue;
    sum += 1 / value;
    ++count;
  }
  return count / sum;  // 0 of a value that is 0
}

std::vector<Window> WindowsOf(std::int64_t layer_count, const Window& layers) {
  const std::int64_t end = (2 * layer_count + 2) / 3;
  const auto length = static_cast<double>(layers.size());
  std::vector<Window> windows;
  for (const auto& [moved, size] : kWindows) {
    const auto last = layers.back().value() + static_cast<std::int32_t>(moved * length);
    const auto count = std::max(1, static_cast<std::int32_t>(size * length));
    if (last >= end && moved > 0) continue;
    Window window;
    for (std::int32_t layer = std::max(0, last - count + 1); layer <= last; ++layer)
      window.emplace_back(layer);
    if (std::ranges::find(windows, window) == windows.end()) windows.push_back(std::move(window));
  }
  return windows;
}

std::vector<std::pair<std::string, std::string>> TunedSettings(const SolveSettings& settings) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (const worker::protocol::Setting& setting : worker::protocol::Settings()) {
    if (std::ranges::find(kTuned, setting.name) != std::end(kTuned))
      texts.emplace_back(setting.name, TextOf(settings, setting));
  }
  return texts;
}

TuneSearch::TuneSearch(SolveSettings defaults, std::vector<Window> windows)
    : defaults_(std::move(defaults)), total_(windows.size()) {
  for (Window& window : windows) {
    waiting_.push_back(defaults_);
    waiting_.back().layers = std::move(window);
  }
  for (const ScaledSetting& setting : kScaled) total_ += setting.factors.size();
}

std::optional<SolveSettings> TuneSearch::Next() {
  if (waiting_.empty() && scaled_ < std::size(kScaled)) {
    const auto& [field, factors] = kScaled[scaled_++];
    for (const double factor : factors) {
      waiting_.push_back(tries_[Best()].settings);
      waiting_.back().*field = factor * defaults_.*field;
    }
  }
  if (waiting_.empty()) return std::nullopt;
  SolveSettings next = std::move(waiting_.front());
  waiting_.pop_front();
  return next;
}

std::size_t TuneSearch::Best() const {
  const bool all_drift = std::ranges::all_of(tries_, Drifts);
  const auto counts = [&](const Try& made) { return all_drift || !Drifts(made); };
  double highest = 0;
  for (const Try& made : tries_) {
    if (counts(made)) highest = std::max(highest, made.measures.Mean());
  }
  std::optional<std::size_t> best;
  // The less of the two is the better one.
  const auto rank = [&](std::size_t place) {
    const Try& made = tries_[place];
    return std::pair(Distance(made.settings, defaults_), -made.measures.Mean());
  };
  for (std::size_t place = 0; place < tries_.size(); ++place) {
    const bool is_equal = tries_[place].measures.Mean() >= highest - kEqualMeans;
    if (!counts(tries_[place]) || !is_equal) continue;
    if (!best || rank(place) < rank(*best)) best = place;
  }
  return *best;
}

}  // namespace emend::coordinator::operations
