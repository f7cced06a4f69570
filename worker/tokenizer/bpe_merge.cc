#include "worker/tokenizer/bpe_merge.h"

#include <algorithm>
#include <array>
#include <functional>
#include <queue>
#include <tuple>

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kShortWord = 32;  // symbols

void MergeShort(const MergeTable& table, std::vector<Symbol>* symbols) {
  std::array<Merge, kShortWord> merges;  // merges[i] is that of symbols i and i + 1
  std::size_t count = symbols->size();
  const auto look_up = [&](std::size_t i) {
    merges[i] = i + 1 < count ? table.Find((*symbols)[i].id, (*symbols)[i + 1].id) : Merge{};
  };
  for (std::size_t i = 0; i < count; ++i) look_up(i);
  while (count > 1) {
    const auto end = merges.begin() + static_cast<std::ptrdiff_t>(count - 1);
    const auto best = std::min_element(
        merges.begin(), end, [](const Merge& a, const Merge& b) { return a.rank < b.rank; });
    if (best->rank == kNoMerge) break;
    const auto at = static_cast<std::size_t>(best - merges.begin());
    (*symbols)[at] = {best->id, (*symbols)[at].bytes + (*symbols)[at + 1].bytes};
    symbols->erase(symbols->begin() + static_cast<std::ptrdiff_t>(at) + 1);
    std::copy(best + 2, end + 1, best + 1);
    --count;
    look_up(at);
    if (at > 0) look_up(at - 1);
  }
}

constexpr std::uint32_t kNone = kNoMerge;

// A pair as it was when its merge was found; it is stale once one of the two has changed.
struct Candidate {
  Merge merge;
  std::uint32_t at = 0;
  TokenId left = 0;
  TokenId right = 0;

  bool operator>(const Candidate& other) const {
    return std::tie(merge.rank, at) > std::tie(other.merge.rank, other.at);
  }
};

// The symbols as a linked list, so that a merge costs no copying; a merged-away symbol has no
// bytes.
class LongWord {
 public:
  LongWord(const MergeTable& table, std::vector<Symbol>* symbols)
      : table_(table), symbols_(*symbols), next_(symbols->size()), previous_(symbols->size()) {
    for (std::uint32_t i = 0; i < symbols_.size(); ++i) {
      next_[i] = i + 1 < symbols_.size() ? i + 1 : kNone;
      previous_[i] = i > 0 ? i - 1 : kNone;
      Offer(i);
    }
  }

  void Merge() {
    while (!candidates_.empty()) {
      const Candidate best = candidates_.top();
      candidates_.pop();
      if (IsFresh(best)) Apply(best);
    }
    std::erase_if(symbols_, [](const Symbol& symbol) { return symbol.bytes == 0; });
  }

 private:
  void Offer(std::uint32_t at) {
    const std::uint32_t right = next_[at];
    if (right == kNone) return;
    const auto merge = table_.Find(symbols_[at].id, symbols_[right].id);
    if (merge.rank != kNoMerge) candidates_.push({merge, at, symbols_[at].id, symbols_[right].id});
  }

  bool IsFresh(const Candidate& candidate) const {
    const std::uint32_t right = next_[candidate.at];
    return symbols_[candidate.at].bytes > 0 && right != kNone &&
           symbols_[candidate.at].id == candidate.left && symbols_[right].id == candidate.right;
  }

  void Apply(const Candidate& candidate) {
    const std::uint32_t at = candidate.at;
    const std::uint32_t right = next_[at];
    symbols_[at] = {candidate.merge.id, symbols_[at].bytes + symbols_[right].bytes};
    symbols_[right].bytes = 0;
    next_[at] = next_[right];
    if (next_[at] != kNone) previous_[next_[at]] = at;
    Offer(at);
    if (previous_[at] != kNone) Offer(previous_[at]);
  }

  const MergeTable& table_;
  std::vector<Symbol>& symbols_;
  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> previous_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates_;
};

}  // namespace

void MergeSymbols(const MergeTable& merges, std::vector<Symbol>* symbols) {
  if (symbols->size() <= kShortWord) {
    MergeShort(merges, symbols);
  } else {
    LongWord(merges, symbols).Merge();
  }
}

}  // namespace emend::worker::tokenizer
