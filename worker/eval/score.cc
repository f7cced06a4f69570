#include "worker/eval/score.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "worker/eval/hidden.h"
#include "worker/eval/row.h"
#include "worker/model/guard.h"

namespace emend::worker::eval {
namespace {

using Scores = std::vector<std::vector<TargetScore>>;

Status Refused(const std::string& slug, std::size_t request, const std::string& message) {
  return {StatusCode::kInvalidArgument, slug,
          "scoring request " + std::to_string(request) + ": " + message};
}

bool InVocabulary(const std::vector<tokenizer::TokenId>& tokens, std::int64_t vocabulary) {
  return std::all_of(tokens.begin(), tokens.end(),
                     [&](tokenizer::TokenId token) { return token >= 0 && token < vocabulary; });
}

Status CheckRequest(const ScoreRequest& request, std::size_t index,
                    const families::ModelConfig& config) {
  if (request.prompt.empty())
    return Refused("empty_prompt", index, "the prompt has no token, expected at least one");
  if (!InVocabulary(request.prompt, config.vocabulary)) {
    return Refused(
        "unknown_token", index,
        "a prompt token is outside the model's vocabulary of " + std::to_string(config.vocabulary));
  }
  for (const std::vector<tokenizer::TokenId>& target : request.targets) {
    if (target.empty())
      return Refused("empty_target", index, "a target has no token, expected at least one");
    if (!InVocabulary(target, config.vocabulary)) {
      return Refused("unknown_token", index,
                     "a target token is outside the model's vocabulary of " +
                         std::to_string(config.vocabulary));
    }
    const auto tokens = static_cast<std::int64_t>(request.prompt.size() + target.size()) - 1;
    if (tokens > config.context) {
      return Refused("text_too_long", index,
                     "prompt and target take " + std::to_string(tokens) +
                         " positions, and the model's context has " +
                         std::to_string(config.context));
    }
  }
  return OkStatus();
}

// The batch's queries in the order of their places, and the places themselves, each once.
struct QueryPlan {
  struct Asked {
    Query query;
    std::int64_t place_index = 0;  // into `places`
  };
  std::vector<Asked> asked;
  std::vector<std::int64_t> places;
};

QueryPlan PlanQueries(std::span<const Row> rows, std::int64_t length) {
  QueryPlan plan;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<Query> queries = rows[i].queries;
    std::stable_sort(queries.begin(), queries.end(),
                     [](const Query& a, const Query& b) { return a.place < b.place; });
    for (const Query& query : queries) {
      const std::int64_t place = static_cast<std::int64_t>(i) * length + query.place;
      if (plan.places.empty() || plan.places.back() != place) plan.places.push_back(place);
      plan.asked.push_back({query, static_cast<std::int64_t>(plan.places.size()) - 1});
    }
  }
  return plan;
}

// Adds each query's negative log likelihood to its target's sum, and clears argmax where another
// token is likelier. Logits in slices of at most kLogitsMax.
void AddScores(const model::Transformer& model, const at::Tensor& hidden, const QueryPlan& plan,
               Scores& scores) {
  const std::int64_t slice = std::max<std::int64_t>(1, kLogitsMax / model.config().vocabulary),
                     places = hidden.size(0);
  std::size_t next = 0;
  for (std::int64_t begin = 0; begin < places; begin += slice) {
    const std::int64_t count = std::min(slice, places - begin);
    const at::Tensor logits = model.Logits(hidden.narrow(0, begin, count));
    const at::Tensor totals = at::logsumexp(logits, {-1}).cpu(),
                     best = at::argmax(logits, -1).cpu();
    const at::Tensor host = logits.cpu();
    const float* const logit = host.const_data_ptr<float>();
    for (; next < plan.asked.size() && plan.asked[next].place_index < begin + count; ++next) {
      const auto& [query, place_index] = plan.asked[next];
      const std::int64_t row = place_index - begin;
      TargetScore& score =
          scores[static_cast<std::size_t>(query.request)][static_cast<std::size_t>(query.target)];
      score.nll += static_cast<double>(totals.const_data_ptr<float>()[row]) -
                   static_cast<double>(logit[row * logits.size(1) + query.token]);
      score.argmax = score.argmax && best.const_data_ptr<std::int64_t>()[row] == query.token;
    }
  }
}

Scores EmptyScores(std::span<const ScoreRequest> requests) {
  Scores scores;
  for (const ScoreRequest& request : requests)
    scores.emplace_back(request.targets.size(),
                        TargetScore{.nll = 0, .probability = 0, .argmax = true});
  return scores;
}

// Shortest first, so that rows of like length stand together.
std::vector<Row> SortedRows(std::span<const ScoreRequest> requests) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < requests.size(); ++i)
    rows.push_back(MakeRow(requests[i], static_cast<std::int64_t>(i)));
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.length() < b.length(); });
  return rows;
}

// How many of `rows` (sorted, not empty) make one batch: at least one.
std::size_t BatchRows(std::span<const Row> rows, std::int64_t tokens_max) {
  std::size_t count = 1;
  while (count < rows.size() &&
         static_cast<std::int64_t>(count + 1) * rows[count].length() <= tokens_max)
    ++count;
  return count;
}

Result<Scores> ScoreRows(const model::Transformer& model, std::span<const ScoreRequest> requests,
                         const ScoreOptions& options) {
  const c10::AutoGradMode no_grad(false);
  Scores scores = EmptyScores(requests);
  const std::vector<Row> sorted = SortedRows(requests);
  for (std::span<const Row> left = sorted; !left.empty();) {
    const std::span<const Row> rows = left.first(BatchRows(left, options.tokens_max));
    left = left.subspan(rows.size());
    const QueryPlan plan = PlanQueries(rows, rows.back().length());
    if (plan.places.empty()) continue;
    const BatchOnDevice batch = OnDevice(model, rows, plan.places);
    AddScores(model, HiddenAt(model, batch.rows, batch.places), plan, scores);
    const auto total = static_cast<std::int64_t>(requests.size());
    if (options.progress)
      EMEND_RETURN_IF_ERROR(
          options.progress(total - static_cast<std::int64_t>(left.size()), total));
  }
  for (std::size_t i = 0; i < requests.size(); ++i) {
    for (std::size_t j = 0; j < scores[i].size(); ++j) {
      scores[i][j].probability = std::exp(-scores[i][j].nll);
      scores[i][j].nll /= static_cast<double>(requests[i].targets[j].size());
    }
  }
  return scores;
}

}  // namespace

Result<Scores> ScoreTargets(const model::Transformer& model, std::span<const ScoreRequest> requests,
                            const ScoreOptions& options) {
  for (std::size_t i = 0; i < requests.size(); ++i)
    EMEND_RETURN_IF_ERROR(CheckRequest(requests[i], i, model.config()));
  return model::Guarded("scoring " + std::to_string(requests.size()) + " prompts",
                        [&] { return ScoreRows(model, requests, options); });
}

}  // namespace emend::worker::eval
