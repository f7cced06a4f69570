#include "api/rest/fields.h"
#include "api/rest/handler.h"
#include "api/rest/render.h"
#include "api/rest/strict_json.h"

namespace emend::api::rest {
namespace {

using worker::protocol::ProbeAdvice;
using worker::protocol::ProbedLink;
using worker::protocol::ProbedRank;

Json RenderAdvice(const std::vector<ProbeAdvice>& advice) {
  Json list = Json::array();
  for (const ProbeAdvice& each : advice) {
    list.push_back({{"severity", each.severity},
                    {"code", each.code},
                    {"found", each.found},
                    {"expected", each.expected},
                    {"action", each.action}});
  }
  return list;
}

Json RenderRank(const ProbedRank& rank) {
  return {{"rank", rank.rank},
          {"host", rank.host_name},
          {"address", rank.address},
          {"interface", rank.interface},
          {"device", rank.device},
          {"collectives", rank.over_nccl ? "nccl" : "tcp"},
          {"nccl_version", rank.nccl_version.empty() ? Json() : Json(rank.nccl_version)},
          {"nccl_missing", rank.nccl_missing.empty() ? Json() : Json(rank.nccl_missing)},
          {"threads", rank.threads},
          {"cores", rank.cores},
          {"memory_bytes", rank.memory_bytes},
          {"memory_free_bytes", rank.memory_free},
          {"shm_bytes", rank.shm_bytes},
          {"shm_free_bytes", rank.shm_free}};
}

Json RenderLink(const ProbedLink& link) {
  if (!link.reached)
    return {{"ranks", {link.lower, link.upper}}, {"reached", false}, {"why_not", link.why_not}};
  return {{"ranks", {link.lower, link.upper}},
          {"reached", true},
          {"latency_us", link.latency_us},
          {"gigabytes_per_second", link.gigabytes_per_second}};
}

Awaitable<Result<Response>> CreateDiagnosis(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const nlohmann::json body, ParseJsonObject(request.body));
  Fields fields(body);
  fields.RefuseUnknown();
  EMEND_CO_RETURN_IF_ERROR(fields.status());
  EMEND_CO_ASSIGN_OR_RETURN(const coordinator::server::Diagnosis diagnosis,
                            co_await context->service->Diagnose(request.caller));
  Json groups = Json::array();
  for (const auto& group : diagnosis.groups) {
    Json ranks = Json::array(), links = Json::array();
    for (const ProbedRank& rank : group.probe.ranks) ranks.push_back(RenderRank(rank));
    for (const ProbedLink& link : group.probe.links) links.push_back(RenderLink(link));
    groups.push_back({{"group", group.group},
                      {"ranks", std::move(ranks)},
                      {"links", std::move(links)},
                      {"advice", RenderAdvice(group.probe.advice)}});
  }
  co_return JsonResponse(200, {{"disk_free_bytes", diagnosis.disk_free_bytes},
                               {"groups", std::move(groups)},
                               {"advice", RenderAdvice(diagnosis.advice)}});
}

}  // namespace

std::vector<Route> DiagnosisRoutes() {
  return {{.method = Method::kPost,
           .pattern = "/api/v1/diagnoses",
           .operation_id = "createDiagnosis",
           .summary = "Test workers, the ranks of their groups and what lies between them",
           .scope = Scope::kAdmin,
           .body = JsonBody("DiagnosisRequest"),
           .answer = {200, "Diagnosis"},
           .handler = CreateDiagnosis}};
}

}  // namespace emend::api::rest
