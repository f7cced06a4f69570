#include "worker/eval/drift.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace emend::worker::eval {
namespace {

// Written for this file; no data set holds them.
constexpr std::array<std::string_view, 6> kTexts = {
    "The ferry leaves the harbour at seven in the morning and comes back before it is dark. When "
    "the wind is strong the captain waits, and the people on the quay drink tea until he waves "
    "them on board. Most of them work on the other side of the bay and know each other by name.",
    "To make a simple bread, mix flour with water, a little salt and some yeast, and knead the "
    "dough until it is smooth. Leave it in a warm place for an hour, so that it grows to twice its "
    "size. Then bake it in a hot oven until the crust is brown and the loaf sounds hollow.",
    "A river carries sand and small stones from the hills to the sea. Where the water is fast it "
    "takes them along, and where it is slow it lets them fall. Over many years the valley becomes "
    "wider, the banks move, and old bends are cut off and turn into quiet lakes.",
    "The library has three floors. Newspapers and children's books are on the first, novels on the "
    "second, and on the third there is a quiet room for those who study. Books may be kept for "
    "four weeks, and longer if nobody else has asked for them.",
    "In winter the days are short and the ground is often frozen. Animals that do not sleep "
    "through "
    "the cold must find food under the snow. Birds come closer to the houses then, because people "
    "put out seeds for them and the cats prefer to stay by the fire.",
    "The meeting began ten minutes late because the door was locked and no one had a key. After "
    "the minutes had been read, the members talked about the roof, which had leaked since spring, "
    "and agreed to ask two firms what it would cost to repair it before the autumn.",
};

}  // namespace

std::span<const std::string_view> HeldTexts() { return kTexts; }

Result<double> HeldPerplexity(const model::Transformer& model,
                              const tokenizer::Tokenizer& tokenizer, const ScoreOptions& options) {
  std::vector<ScoreRequest> requests;
  double tokens = 0;
  for (const std::string_view text : kTexts) {
    EMEND_ASSIGN_OR_RETURN(const auto encoded,
                           tokenizer.Encode(text, tokenizer::SpecialTokens::kWithTemplate));
    const std::size_t count =
        std::min(encoded.size(), static_cast<std::size_t>(model.config().context));
    if (count < 2) continue;
    ScoreRequest& request = requests.emplace_back();
    request.prompt = {encoded[0].id};
    request.targets.emplace_back();
    for (std::size_t i = 1; i < count; ++i) request.targets[0].push_back(encoded[i].id);
    tokens += static_cast<double>(count - 1);
  }
  EMEND_ASSIGN_OR_RETURN(const auto scores, ScoreTargets(model, requests, options));
  double nll = 0;
  for (std::size_t i = 0; i < requests.size(); ++i)
    nll += scores[i][0].nll * static_cast<double>(requests[i].targets[0].size());
  return std::exp(nll / tokens);
}

}  // namespace emend::worker::eval
