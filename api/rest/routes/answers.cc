#include "api/rest/render.h"
#include "api/rest/routes/routes.h"
#include "api/rest/strict_json.h"

namespace emend::api::rest {
namespace {

constexpr std::int64_t kTokensMax = 1024;
constexpr std::int64_t kTopMax = 100;

// A whole number from 0 to max, or the fallback; the first failure stays in `status`.
std::int32_t ReadNumber(const nlohmann::json& body, const char* name, std::int32_t fallback,
                        std::int64_t max, Status& status) {
  const auto found = body.find(name);
  if (found == body.end() || !status.ok()) return fallback;
  const bool fits =
      found->is_number_unsigned() && found->get<std::uint64_t>() <= static_cast<std::uint64_t>(max);
  if (fits) return found->get<std::int32_t>();
  status = InvalidArgument("at /" + std::string(name) + ": found " +
                           found->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) +
                           ", expected a whole number from 0 to " + std::to_string(max));
  return fallback;
}

std::string ReadText(const nlohmann::json& body, const char* name, const char* fallback,
                     Status& status) {
  const auto found = body.find(name);
  if (found != body.end() && found->is_string()) return found->get<std::string>();
  if (!status.ok() || (found == body.end() && fallback != nullptr))
    return fallback == nullptr ? "" : fallback;
  status = InvalidArgument(
      "at /" + std::string(name) + ": " +
      (found == body.end()
           ? "this field is missing"
           : "found a value of type " + std::string(found->type_name()) + ", expected a text"));
  return "";
}

Result<coordinator::server::AskRequest> ReadAsk(const Request& request) {
  EMEND_ASSIGN_OR_RETURN(const nlohmann::json body, ParseJsonObject(request.body));
  coordinator::server::AskRequest ask;
  Status status;
  ask.repo = request.repo();
  ask.revision = ReadText(body, "revision", "main", status);
  ask.prompt = ReadText(body, "prompt", nullptr, status);
  ask.tokens_max = ReadNumber(body, "tokens_max", ask.tokens_max, kTokensMax, status);
  ask.top = ReadNumber(body, "top", ask.top, kTopMax, status);
  EMEND_RETURN_IF_ERROR(status);
  for (const auto& [name, value] : body.items()) {
    if (name != "revision" && name != "prompt" && name != "tokens_max" && name != "top") {
      return InvalidArgument(
          "at /" + name +
          ": this field is unknown here; known are revision, prompt, tokens_max, top");
    }
  }
  if (ask.prompt.empty())
    return InvalidArgument("at /prompt: found an empty text, expected the text to go on from");
  return ask;
}

Json RenderAnswer(const coordinator::server::AskAnswer& answer) {
  Json top = Json::array();
  for (const auto& token : answer.top)
    top.push_back({{"token", token.token}, {"probability", token.probability}});
  return {{"commit", answer.commit.Hex()},
          {"state", answer.state.Hex()},
          {"text", answer.text},
          {"tokens", answer.tokens},
          {"top", std::move(top)}};
}

Awaitable<Result<Response>> Ask(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(auto ask, ReadAsk(request));
  EMEND_CO_ASSIGN_OR_RETURN(const auto answer,
                            co_await context->answers->Ask(request.caller, std::move(ask)));
  Response response = JsonResponse(200, RenderAnswer(answer));
  response.headers.emplace_back("X-Emend-Commit", answer.commit.Hex());
  co_return response;
}

}  // namespace

std::vector<Route> AskRoutes() {
  return {{.method = Method::kPost,
           .pattern = "/api/v1/repos/{repo}/answers",
           .operation_id = "ask",
           .scope = Scope::kAsk,
           .parameters = {kRepo},
           .body = JsonBody("AskRequest"),
           .answer = {200, "Answer"},
           .failures = {404},
           .is_answering = true,
           .handler = Ask}};
}

}  // namespace emend::api::rest
