#include "api/rest/handler.h"
#include "api/rest/render.h"

namespace emend::api::rest {
namespace {

using coordinator::server::FactChange;

constexpr Parameter kFrom{"from", In::kQuery, kRevisionText, "", /*is_required=*/true};
constexpr Parameter kTo{"to", In::kQuery, kRevisionText, "", /*is_required=*/true};

const char* ChangeName(FactChange::Kind kind) {
  switch (kind) {
    case FactChange::Kind::kAdded: return "added";
    case FactChange::Kind::kRemoved: return "removed";
    case FactChange::Kind::kChanged: return "changed";
  }
  return "";
}

Json RenderDiff(const coordinator::server::DiffReport& report) {
  Json facts = Json::array();
  for (const FactChange& change : report.facts) {
    facts.push_back({{"kind", ChangeName(change.kind)},
                     {"edit", change.edit.Hex()},
                     {"fact", RenderFact(change.fact)},
                     {"other_target", change.other_target ? Json(*change.other_target) : Json()}});
  }
  Json tensors = Json::array();
  for (const auto& tensor : report.tensors) {
    tensors.push_back({{"tensor", tensor.tensor},
                       {"elements", tensor.elements},
                       {"changed", tensor.changed},
                       {"difference_norm", tensor.difference_norm},
                       {"weight_norm", tensor.weight_norm}});
  }
  return {{"from", RenderCommit(report.from)},
          {"to", RenderCommit(report.to)},
          {"facts", std::move(facts)},
          {"tensors", std::move(tensors)}};
}

Awaitable<Result<Response>> DiffCommits(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto report,
      co_await context->service->Diff(request.repo(), request.Text("from"), request.Text("to")));
  co_return JsonResponse(200, RenderDiff(report));
}

}  // namespace

std::vector<Route> DiffRoutes() {
  return {{.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/diff",
           .operation_id = "diffCommits",
           .summary = "Facts and tensors that differ between two revisions",
           .scope = Scope::kRead,
           .parameters = {kRepo, kFrom, kTo},
           .answer = {200, "Diff"},
           .failures = {404},
           .handler = DiffCommits}};
}

}  // namespace emend::api::rest
