#include "api/cli/scores.h"

#include "api/cli/text.h"

namespace emend::api::cli {

namespace {

// Null: there was no such prompt.
std::string RenderMeasure(const Json& evaluation, const char* measure) {
  const Json value = evaluation.value(measure, Json());
  return value.is_number() ? RenderPercent(value.get<double>()) : "-";
}

}  // namespace

std::string RenderScores(const std::vector<std::pair<std::string, Json>>& evaluations) {
  std::vector<std::vector<std::string>> rows = {
      {"", "N", "ES", "PS", "NS", "SCORE", "ES-ARGMAX", "PS-ARGMAX", "NS-ARGMAX"}};
  for (const auto& [name, evaluation] : evaluations) {
    if (!evaluation.is_object()) continue;
    std::vector<std::string> row = {name,
                                    std::to_string(static_cast<long>(NumberOf(evaluation, "n")))};
    for (const char* measure : {"es", "ps", "ns", "score", "es_argmax", "ps_argmax", "ns_argmax"})
      row.push_back(RenderMeasure(evaluation, measure));
    rows.push_back(std::move(row));
  }
  return rows.size() > 1 ? RenderTable(rows) : "";
}

}  // namespace emend::api::cli
