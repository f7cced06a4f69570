#include "api/rest/render.h"

#include "storage/facts/fact_json.h"

namespace emend::api::rest {

Response JsonResponse(int status, const Json& json) {
  return {.status = status,
          .content_type = "application/json",
          .body = json.dump(-1, ' ', false, Json::error_handler_t::replace),
          .headers = {},
          .stream = {}};
}

Response PageResponse(Json items, Json next) {
  return JsonResponse(200, {{"items", std::move(items)}, {"next", std::move(next)}});
}

namespace {

Json RenderEvaluation(const std::optional<storage::objects::Evaluation>& evaluation) {
  if (!evaluation) return nullptr;
  return {{"n", evaluation->records},
          {"es", evaluation->es},
          {"ps", evaluation->ps},
          {"ns", evaluation->ns},
          {"score", evaluation->score},
          {"es_argmax", evaluation->es_argmax},
          {"ps_argmax", evaluation->ps_argmax},
          {"ns_argmax", evaluation->ns_argmax}};
}

}  // namespace

Json RenderFact(const storage::objects::Fact& fact) {
  return Json::parse(storage::facts::FactToJson(fact), nullptr, /*allow_exceptions=*/false);
}

Json RenderSettings(const std::vector<std::pair<std::string, std::string>>& settings) {
  Json json = Json::object();
  for (const auto& [name, text] : settings) json[name] = text;
  return json;
}

Json RenderCommit(const storage::history::NumberedCommit& numbered) {
  const storage::objects::Commit& commit = numbered.commit;
  Json parents = Json::array();
  for (const CommitId& parent : commit.parents) parents.push_back(parent.Hex());
  return {{"commit", numbered.id.Hex()},
          {"state", commit.state.Hex()},
          {"kind", storage::objects::CommitKindName(commit.kind)},
          {"parents", std::move(parents)},
          {"base", commit.base.Hex()},
          {"author", commit.author},
          {"token_id", commit.token_id},
          {"time", RenderTime(commit.time_ms)},
          {"message", commit.message},
          {"added_count", commit.added.size()},
          {"removed_count", commit.removed.size()},
          {"before", RenderEvaluation(commit.before)},
          {"after", RenderEvaluation(commit.after)}};
}

}  // namespace emend::api::rest
