// Tokens: made, listed and revoked. A secret is shown once, in the answer that makes it.
#include "coordinator/store/tokens.h"
#include "api/rest/on_store.h"
#include "api/rest/page.h"
#include "api/rest/strict_json.h"

namespace emend::api::rest {
namespace {

using coordinator::store::TokenRequest;
using storage::records::TokenRecord;

constexpr Parameter kId{"id", In::kPath,
                        Text{14, "^t-[0-9a-f]{12}$", "a token's id, t- and 12 hex digits"}};

Json RenderToken(const TokenRecord& token) {
  return {{"id", token.id},
          {"principal", token.principal},
          {"scopes", token.scopes},
          {"created", RenderTime(token.created_ms)}};
}

Result<TokenRequest> ReadTokenRequest(const Request& request) {
  EMEND_ASSIGN_OR_RETURN(const Json body, ParseJsonObject(request.body));
  TokenRequest token;
  for (const auto& [name, value] : body.items()) {
    if (name == "principal" && value.is_string()) {
      token.principal = value.get<std::string>();
    } else if (name == "scopes" && value.is_array()) {
      for (const Json& scope : value) {
        if (!scope.is_string())
          return InvalidArgument("at /scopes: found a value that is no text, expected scopes");
        token.scopes.push_back(scope.get<std::string>());
      }
    } else if (name == "principal" || name == "scopes") {
      return InvalidArgument("at /" + name + ": found a value of type " + value.type_name() +
                             ", expected " + (name == "scopes" ? "a list of texts" : "a text"));
    } else {
      return InvalidArgument("at /" + name +
                             ": this field is unknown here; known are principal, scopes");
    }
  }
  for (const char* name : {"principal", "scopes"}) {
    if (!body.contains(name))
      return InvalidArgument("at /" + std::string(name) + ": this field is missing");
  }
  return token;
}

Awaitable<Result<Response>> ListTokens(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(std::vector<TokenRecord> tokens,
                            co_await OnStore(context, [](Journal& journal) {
                              return storage::records::ListTokens(journal.store());
                            }));
  co_return PageResponse(PageAfter(request, std::move(tokens), &TokenRecord::id), RenderToken);
}

Awaitable<Result<Response>> CreateToken(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const TokenRequest wanted, ReadTokenRequest(request));
  EMEND_CO_ASSIGN_OR_RETURN(const coordinator::store::NewToken made,
                            co_await OnStore(context, [&](Journal& journal) {
                              return coordinator::store::CreateToken(
                                  journal, context->runtime->random(), request.caller, wanted);
                            }));
  Json rendered = RenderToken(made.record);
  rendered["secret"] = made.secret;
  Response response = JsonResponse(201, rendered);
  response.headers.emplace_back("Location", "/api/v1/tokens/" + made.record.id);
  co_return response;
}

Awaitable<Result<Response>> RevokeToken(HandlerContext* context, Request request) {
  EMEND_CO_RETURN_IF_ERROR(co_await OnStore(context, [&](Journal& journal) {
    return coordinator::store::RevokeToken(journal, request.caller, request.Text("id"));
  }));
  co_return Response{.status = 204, .content_type = "", .body = "", .headers = {}, .stream = {}};
}

}  // namespace

std::vector<Route> TokenRoutes() {
  return {
      {.method = Method::kGet,
       .pattern = "/api/v1/tokens",
       .operation_id = "listTokens",
       .summary = "Tokens, without their secrets",
       .scope = Scope::kAdmin,
       .parameters = {kLimit, kAfterKey},
       .answer = {200, "TokenPage"},
       .handler = ListTokens},
      {.method = Method::kPost,
       .pattern = "/api/v1/tokens",
       .operation_id = "createToken",
       .summary = "Make a token; its secret is in this answer and nowhere else",
       .scope = Scope::kAdmin,
       .body = JsonBody("TokenRequest"),
       .answer = {201, "NewToken"},
       .handler = CreateToken},
      {.method = Method::kDelete,
       .pattern = "/api/v1/tokens/{id}",
       .operation_id = "revokeToken",
       .summary = "Let a token in no more; the last one of scope admin stays (last_admin_token)",
       .scope = Scope::kAdmin,
       .parameters = {kId},
       .answer = {204, ""},
       .failures = {404},
       .handler = RevokeToken}};
}

}  // namespace emend::api::rest
