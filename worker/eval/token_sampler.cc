#include "worker/eval/token_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace emend::worker::eval {
namespace {

using tokenizer::TokenId;

struct Candidate {
  TokenId id = 0;
  double weight = 0;  // its probability, times a constant
};

bool IsLikelier(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

double WeightOf(std::span<const Candidate> candidates) {
  return std::accumulate(candidates.begin(), candidates.end(), 0.0,
                         [](double sum, const Candidate& each) { return sum + each.weight; });
}

void KeepLikeliest(std::vector<Candidate>& candidates, std::int64_t count) {
  if (count >= static_cast<std::int64_t>(candidates.size())) return;
  std::ranges::nth_element(candidates, candidates.begin() + count, IsLikelier);
  candidates.resize(static_cast<std::size_t>(count));
  std::ranges::sort(candidates, IsLikelier);
}

// The fewest that together have this share of the whole, likeliest first.
void KeepShare(std::vector<Candidate>& candidates, double share) {
  const double total = WeightOf(candidates);
  // All that are below this are less than the rest together: they need not be sorted.
  const double floor = (1 - share) * total / static_cast<double>(candidates.size());
  std::erase_if(candidates, [&](const Candidate& each) { return each.weight < floor; });
  std::ranges::sort(candidates, IsLikelier);
  double sum = 0;
  std::size_t kept = 0;
  while (kept < candidates.size() && (kept == 0 || sum < share * total))
    sum += candidates[kept++].weight;
  candidates.resize(kept);
}

// The one in which this share of the whole falls, in their order.
TokenId Pick(std::span<const Candidate> candidates, double share) {
  const double target = share * WeightOf(candidates);
  double sum = 0;
  for (const Candidate& each : candidates) {
    sum += each.weight;
    if (sum > target) return each.id;
  }
  return candidates.back().id;
}

}  // namespace

Status TokenSampler::Check(const SamplingOptions& options) {
  const bool is_good = std::isfinite(options.temperature) && options.temperature >= 0 &&
                       options.top_p > 0 && options.top_p <= 1 && options.top_k >= 0;
  if (is_good) return OkStatus();
  return {StatusCode::kInvalidArgument, "bad_option",
          "sampling with temperature " + std::to_string(options.temperature) + ", top_p " +
              std::to_string(options.top_p) + ", top_k " + std::to_string(options.top_k) +
              ": expected a temperature and top_k of at least 0, and top_p over 0 and at most 1"};
}

Status CheckFinite(std::span<const float> logits) {
  const bool is_finite =
      std::ranges::all_of(logits, [](float logit) { return std::isfinite(logit); });
  if (is_finite) return OkStatus();
  return {StatusCode::kInternal, "non_finite_logits",
          "completing a text: the model computed logits that are not finite"};
}

Result<TokenId> TokenSampler::Draw(std::span<const float> logits) {
  EMEND_RETURN_IF_ERROR(CheckFinite(logits));
  const auto likeliest = std::ranges::max_element(logits);
  if (options_.temperature == 0) return static_cast<TokenId>(likeliest - logits.begin());
  std::vector<Candidate> candidates(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    candidates[i] = {static_cast<TokenId>(i),
                     std::exp((static_cast<double>(logits[i]) - static_cast<double>(*likeliest)) /
                              options_.temperature)};
  }
  if (options_.top_k > 0) KeepLikeliest(candidates, options_.top_k);
  if (options_.top_p < 1) KeepShare(candidates, options_.top_p);
  return Pick(candidates, static_cast<double>(engine_() >> 11) * 0x1p-53);
}

TokenLogprob LogprobOf(std::span<const float> logits, TokenId token, std::int64_t count) {
  const double highest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - highest);
  const double offset = highest + std::log(sum);
  const auto likely = [&](TokenId id) {
    return LikelyToken{
        .id = id,
        .text = {},
        .logprob = static_cast<double>(logits[static_cast<std::size_t>(id)]) - offset};
  };
  std::vector<TokenId> ids(logits.size());
  std::iota(ids.begin(), ids.end(), TokenId{0});
  const auto top_end =
      ids.begin() + std::min<std::int64_t>(count, static_cast<std::int64_t>(ids.size()));
  std::ranges::partial_sort(ids, top_end, [&](TokenId a, TokenId b) {
    const float first = logits[static_cast<std::size_t>(a)],
                second = logits[static_cast<std::size_t>(b)];
    return first != second ? first > second : a < b;
  });
  TokenLogprob logprob{.token = likely(token), .text_begin = 0, .top = {}};
  for (auto id = ids.begin(); id != top_end; ++id) logprob.top.push_back(likely(*id));
  return logprob;
}

}  // namespace emend::worker::eval
