// Rules of protection: which branches move only by reviewed proposals.
#include "api/rest/fields.h"
#include "api/rest/on_store.h"
#include "api/rest/page.h"
#include "api/rest/strict_json.h"
#include "coordinator/review/rules.h"
#include "storage/base/utf8.h"

#include <algorithm>

namespace emend::api::rest {
namespace {

using storage::history::Protection;

constexpr Parameter kPattern{
    "pattern", In::kPath,
    // as kRefName, with stars
    Text{128,
         R"(^(?!.*(\.\.|@\{|//|/\.|\.lock(/|$)|[./]$))(?!([./-]|@$|HEAD$|refs/)))"
         R"((?![0-9A-Fa-f]{40,}$)[!-9;->@-Z\]_-}]+$)",
         "a branch's name, in which * may stand"},
    "May hold \"/\"."};

Json RenderRule(const Protection& rule) {
  return {{"pattern", rule.pattern},
          {"approvals", rule.approvals},
          {"require", rule.required},
          {"principal", rule.principal},
          {"created", RenderTime(rule.created_ms)}};
}

Status ReadRequired(const nlohmann::json& required, Protection& rule) {
  for (const auto& [name, value] : required.items()) {
    if (std::ranges::find(coordinator::review::kMeasures, name) ==
        coordinator::review::kMeasures.end())
      return InvalidArgument("at /require/" + Shortened(name) + ": this measure is unknown here");
    if (!value.is_number() || value.get<double>() < 0 || value.get<double>() > 100)
      return InvalidArgument("at /require/" + name + ": found " + Shown(value) +
                             ", expected percent, a number from 0 to 100");
    rule.required[name] = value.get<double>();
  }
  return OkStatus();
}

Result<Protection> ReadRule(const Request& request) {
  EMEND_ASSIGN_OR_RETURN(const auto body, ParseJsonObject(request.body));
  Fields fields(body);
  Protection rule{.pattern = request.Text("pattern"), .required = {}, .principal = {}};
  rule.approvals = static_cast<std::uint32_t>(
      fields.Whole("approvals", 1, {0, storage::history::kApprovalsMax}));
  const nlohmann::json* required = fields.Find("require");
  if (required != nullptr && !required->is_object()) {
    fields.Refuse("require", *required, "percent by measure");
  } else if (required != nullptr) {
    EMEND_RETURN_IF_ERROR(ReadRequired(*required, rule));
  }
  fields.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(fields.status());
  return rule;
}

Awaitable<Result<Response>> ListRules(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(std::vector<Protection> rules,
                            co_await InRepo(context, request.repo(), [](const Repository& repo) {
                              return coordinator::review::ListRules(repo);
                            }));
  co_return PageResponse(PageAfter(request, std::move(rules), &Protection::pattern), RenderRule);
}

Awaitable<Result<Response>> PutRule(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const Protection wanted, ReadRule(request));
  EMEND_CO_ASSIGN_OR_RETURN(const Protection rule, co_await OnStore(context, [&](Journal& journal) {
                              return coordinator::review::PutRule(journal, request.caller,
                                                                  request.repo(), wanted);
                            }));
  co_return JsonResponse(200, RenderRule(rule));
}

Awaitable<Result<Response>> DeleteRule(HandlerContext* context, Request request) {
  EMEND_CO_RETURN_IF_ERROR(co_await OnStore(context, [&](Journal& journal) {
    return coordinator::review::RemoveRule(journal, request.caller, request.repo(),
                                           request.Text("pattern"));
  }));
  co_return Response{.status = 204, .content_type = "", .body = "", .headers = {}, .stream = {}};
}

}  // namespace

std::vector<Route> ProtectionRoutes() {
  constexpr std::string_view kOne = "/api/v1/repos/{repo}/protections/{pattern...}";
  return {{.method = Method::kGet,
           .pattern = "/api/v1/repos/{repo}/protections",
           .operation_id = "listProtections",
           .summary = "Rules of which branches move only by reviewed proposals",
           .scope = Scope::kRead,
           .parameters = {kRepo, kLimit, kAfterKey},
           .answer = {200, "ProtectionPage"},
           .failures = {404},
           .handler = ListRules},
          {.method = Method::kPut,
           .pattern = kOne,
           .operation_id = "putProtection",
           .summary = "Protect the branches whose names fit; in place of the rule of this pattern",
           .scope = Scope::kAdmin,
           .parameters = {kRepo, kPattern},
           .body = JsonBody("ProtectionRequest"),
           .answer = {200, "Protection"},
           .failures = {404},
           .handler = PutRule},
          {.method = Method::kDelete,
           .pattern = kOne,
           .operation_id = "deleteProtection",
           .summary = "Take a rule away",
           .scope = Scope::kAdmin,
           .parameters = {kRepo, kPattern},
           .answer = {204, ""},
           .failures = {404},
           .handler = DeleteRule}};
}

}  // namespace emend::api::rest
