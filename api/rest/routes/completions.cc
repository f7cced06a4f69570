#include "api/rest/completing.h"
#include "api/rest/render.h"
#include "storage/base/utf8.h"

namespace emend::api::rest {
namespace {

constexpr Parameter kModel{"model", In::kPath,
                           Text{256, R"(^[a-z0-9][a-z0-9._-]{0,63}(@[^\x00-\x1f\x7f]+)?$)",
                                "\"repo\" or \"repo@revision\""},
                           "`repo` (its branch main) or `repo@revision`"};

Json RenderModel(const std::string& id, const coordinator::answers::ServedModel& model) {
  return {{"id", id},
          {"object", "model"},
          {"created", model.created_ms / 1000},
          {"owned_by", "emend"},
          {"commit", model.commit.Hex()}};
}

Awaitable<Result<Response>> CreateCompletion(HandlerContext* context, Request request) {
  return AnswerInShape(context, std::move(request), &kTextShape);
}

Awaitable<Result<Response>> CreateChatCompletion(HandlerContext* context, Request request) {
  return AnswerInShape(context, std::move(request), &kChatShape);
}

Awaitable<Result<Response>> ListModels(HandlerContext* context, Request) {
  EMEND_CO_ASSIGN_OR_RETURN(const auto served, co_await context->answers->ListModels());
  Json models = Json::array();
  for (const auto& model : served)
    models.push_back(RenderModel(model.repo.value() + "@" + model.ref, model));
  co_return JsonResponse(200, {{"object", "list"}, {"data", std::move(models)}});
}

// Under the name that was asked for: "repo" is its branch main.
Awaitable<Result<Response>> ReadModel(HandlerContext* context, Request request) {
  const std::string id = request.Text("model");
  const std::size_t at = id.find('@');
  const std::string repo = id.substr(0, at);
  const std::string ref = at == std::string::npos ? "main" : id.substr(at + 1);
  EMEND_CO_ASSIGN_OR_RETURN(const auto served, co_await context->answers->ListModels());
  for (const auto& model : served) {
    if (model.repo.value() == repo && model.ref == ref)
      co_return JsonResponse(200, RenderModel(id, model));
  }
  co_return NotFound("reading the model \"" + Shortened(id) +
                     "\": there is no such branch or tag; /v1/models lists those there are");
}

}  // namespace

std::vector<Route> CompletionRoutes() {
  return {
      {.method = Method::kPost,
       .pattern = "/v1/completions",
       .operation_id = "createCompletion",
       .summary = "Texts behind prompts, in the shape of OpenAI's API; `model` is `repo` or "
                  "`repo@revision`",
       .details =
           "Many requests are answered at once. Each text keeps the commit that its revision "
           "stood for when it began, from its first token to its last; the commit is "
           "`system_fingerprint`, and the header X-Emend-Commit. With `stream` the answer is "
           "server-sent events: chunks of the same shape, each with a piece of one choice, and "
           "`[DONE]`; a failure after the first byte is an event with `error`. A text whose "
           "worker is lost is asked for again, unless a piece of it was already sent.",
       .scope = Scope::kAsk,
       .body = JsonBody("CompletionRequest"),
       .answer = {200, "Completion", Streams::kIfAsked, "X-Emend-Commit", "CompletionEvent"},
       .failures = {404, 503},
       .is_answering = true,
       .handler = CreateCompletion},
      {.method = Method::kPost,
       .pattern = "/v1/chat/completions",
       .operation_id = "createChatCompletion",
       .summary = "What the model says next in a conversation, in the shape of OpenAI's API",
       .details =
           "The model's own chat template makes the prompt of the messages; a model without one "
           "is refused (409 no_chat_template), and so are messages that its template refuses, "
           "in the template's words. All else is as of /v1/completions.",
       .scope = Scope::kAsk,
       .body = JsonBody("ChatCompletionRequest"),
       .answer = {200, "ChatCompletion", Streams::kIfAsked, "X-Emend-Commit", "CompletionEvent"},
       .failures = {404, 409, 503},
       .is_answering = true,
       .handler = CreateChatCompletion},
      {.method = Method::kGet,
       .pattern = "/v1/models",
       .operation_id = "listModels",
       .summary = "The branches and tags of every repo, as models of OpenAI's API",
       .scope = Scope::kAsk,
       .answer = {200, "ModelList"},
       .is_answering = true,
       .handler = ListModels},
      {.method = Method::kGet,
       .pattern = "/v1/models/{model...}",
       .operation_id = "readModel",
       .summary = "One branch or tag, as a model of OpenAI's API",
       .scope = Scope::kAsk,
       .parameters = {kModel},
       .answer = {200, "Model"},
       .failures = {404},
       .is_answering = true,
       .handler = ReadModel}};
}

}  // namespace emend::api::rest
