#include <algorithm>

#include "api/rest/events.h"
#include "api/rest/handler.h"
#include "api/rest/openai.h"
#include "api/rest/strict_json.h"
#include "storage/base/digest.h"
#include "storage/base/utf8.h"

namespace emend::api::rest {
namespace {

using coordinator::answers::CompletionPiece;
using coordinator::answers::CompletionStream;

constexpr std::size_t kIdBytes = 12;

constexpr Parameter kModel{"model", In::kPath,
                           Text{256, R"(^[a-z0-9][a-z0-9._-]{0,63}(@[^\x00-\x1f\x7f]+)?$)",
                                "\"repo\" or \"repo@revision\""},
                           "`repo` (its branch main) or `repo@revision`"};

// A completion under way, with what its responses need.
struct Completing {
  CompletionBody body;
  CompletionHead head;
  std::shared_ptr<CompletionStream> stream;
  bool with_logprobs() const { return body.request.text.top >= 0; }
};

Awaitable<Result<Completing>> Begin(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const nlohmann::json body, ParseJsonObject(request.body));
  Completing completing;
  EMEND_CO_ASSIGN_OR_RETURN(completing.body, ReadCompletionBody(body));
  Random& random = context->runtime->random();
  if (!completing.body.has_seed) completing.body.request.text.seed = random.U64();
  EMEND_CO_ASSIGN_OR_RETURN(completing.stream, co_await context->answers->Complete(
                                                   request.caller, completing.body.request));
  completing.head = {.id = "cmpl-" + Sha256(random.Bytes(kIdBytes)).Hex().substr(0, 2 * kIdBytes),
                     .created_seconds = std::chrono::duration_cast<std::chrono::seconds>(
                                            context->runtime->clock().WallNow().time_since_epoch())
                                            .count(),
                     .model = completing.body.model,
                     .commit = completing.stream->commit().Hex()};
  co_return completing;
}

Awaitable<Status> WriteChunks(std::shared_ptr<Completing> completing, EventSink* sink) {
  const ChunkOptions options{.with_logprobs = completing->with_logprobs(),
                             .with_usage = completing->body.include_usage};
  const auto per_prompt = static_cast<std::size_t>(completing->body.request.count);
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
  while (true) {
    Result<std::optional<CompletionPiece>> next = co_await completing->stream->Next(
        [sink] { return !sink->client_left() && !sink->stopping(); });
    if (!next.ok() || sink->stopping()) {
      const Status failure = sink->stopping() ? ServerStops() : next.status();
      co_return co_await sink->Send(FailedEvent("", failure, "/v1/completions"));
    }
    if (!next->has_value()) break;
    const CompletionPiece piece = std::move(**next);
    EMEND_CO_RETURN_IF_ERROR(
        co_await sink->Send(EventOf("", RenderChunk(completing->head, piece, options))));
    prompt_tokens += piece.end && piece.index % per_prompt == 0 ? piece.end->prompt_tokens : 0;
    completion_tokens += piece.end ? piece.end->completion_tokens : 0;
  }
  if (completing->body.include_usage) {
    EMEND_CO_RETURN_IF_ERROR(co_await sink->Send(
        EventOf("", RenderUsageChunk(completing->head, prompt_tokens, completion_tokens))));
  }
  co_return co_await sink->Send("data: [DONE]\n\n");
}

Awaitable<Result<Response>> Whole(Completing completing, std::function<bool()> client_left) {
  std::vector<CompletionChoice> choices(completing.body.request.prompts.size() *
                                        static_cast<std::size_t>(completing.body.request.count));
  while (true) {
    EMEND_CO_ASSIGN_OR_RETURN(
        std::optional<CompletionPiece> piece,
        co_await completing.stream->Next([&] { return !client_left || !client_left(); }));
    if (!piece) break;
    CompletionChoice& choice = choices.at(piece->index);
    choice.text += piece->text;
    std::ranges::move(piece->tokens, std::back_inserter(choice.tokens));
    choice.end = piece->end;
  }
  co_return JsonResponse(200,
                         RenderCompletion(completing.head, choices,
                                          static_cast<std::size_t>(completing.body.request.count),
                                          completing.with_logprobs()));
}

Json RenderModel(const std::string& id, const coordinator::answers::ServedModel& model) {
  return {{"id", id},
          {"object", "model"},
          {"created", model.created_ms / 1000},
          {"owned_by", "emend"},
          {"commit", model.commit.Hex()}};
}

Awaitable<Result<Response>> CreateCompletion(HandlerContext* context, Request request) {
  std::function<bool()> client_left = request.client_left;
  EMEND_CO_ASSIGN_OR_RETURN(Completing completing, co_await Begin(context, std::move(request)));
  const std::string commit = completing.head.commit;
  Response response;
  if (completing.body.stream) {
    const auto shared = std::make_shared<Completing>(std::move(completing));
    response.content_type = "text/event-stream";
    response.stream = [shared](EventSink* sink) { return WriteChunks(shared, sink); };
  } else {
    EMEND_CO_ASSIGN_OR_RETURN(response,
                              co_await Whole(std::move(completing), std::move(client_left)));
  }
  response.headers.emplace_back("X-Emend-Commit", commit);
  co_return response;
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
  return {{.method = Method::kPost,
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
