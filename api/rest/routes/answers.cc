#include "api/rest/events.h"
#include "api/rest/fields.h"
#include "api/rest/handler.h"
#include "api/rest/strict_json.h"
#include "coordinator/answers/ask.h"

namespace emend::api::rest {
namespace {

using coordinator::answers::AskAnswer;
using coordinator::answers::AskListener;
using coordinator::answers::AskRequest;
using coordinator::answers::CompletionStream;

constexpr std::int64_t kAskTokensMax = 1024;
constexpr std::int64_t kTopMax = 100;

// An answer under way.
struct Asking {
  AskRequest ask;
  bool is_streamed = false;
  std::string path;
  std::shared_ptr<CompletionStream> stream;
};

Result<Asking> ReadAsk(const Request& request) {
  EMEND_ASSIGN_OR_RETURN(const nlohmann::json body, ParseJsonObject(request.body));
  Fields fields(body);
  Asking asking;
  asking.path = request.path;
  asking.ask.repo = request.repo();
  asking.ask.revision = fields.Text("revision", "main");
  asking.ask.prompt = fields.Required("prompt");
  asking.ask.is_chat = fields.Flag("chat");
  asking.ask.tokens_max = static_cast<std::int32_t>(
      fields.Whole("tokens_max", asking.ask.tokens_max, {0, kAskTokensMax}));
  asking.ask.top = static_cast<std::int32_t>(fields.Whole("top", asking.ask.top, {0, kTopMax}));
  asking.is_streamed = fields.Flag("stream");
  fields.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(fields.status());
  return asking;
}

Json RenderAnswer(const AskAnswer& answer) {
  Json top = Json::array();
  for (const auto& token : answer.top)
    top.push_back({{"token", token.token}, {"probability", token.probability}});
  return {{"commit", answer.commit.Hex()},
          {"state", answer.state.Hex()},
          {"text", answer.text},
          {"tokens", answer.tokens},
          {"top", std::move(top)}};
}

// "piece" for each piece of the text, then "ended" with the whole answer, or "failed" with the
// problem.
Awaitable<Status> WriteAnswer(std::shared_ptr<Asking> asking, EventSink* sink) {
  AskListener listener;
  listener.is_wanted = [sink] { return !sink->client_left() && !sink->stopping(); };
  listener.on_text = [sink](std::string text) {
    return sink->Send(EventOf("piece", {{"text", std::move(text)}}));
  };
  const Result<AskAnswer> answer = co_await CollectAnswer(std::exchange(asking->stream, nullptr),
                                                          asking->ask, std::move(listener));
  if (answer.ok()) co_return co_await sink->Send(EventOf("ended", RenderAnswer(*answer)));
  const Status failure = sink->stopping() ? ServerStops() : answer.status();
  co_return co_await sink->Send(FailedEvent("failed", failure, asking->path));
}

Awaitable<Result<Response>> AskModel(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(Asking asking, ReadAsk(request));
  EMEND_CO_ASSIGN_OR_RETURN(
      asking.stream, co_await context->answers->Complete(request.caller, CompletionOf(asking.ask)));
  const std::string commit = asking.stream->commit().Hex();
  Response response;
  if (asking.is_streamed) {
    response.content_type = "text/event-stream";
    response.stream = [shared = std::make_shared<Asking>(std::move(asking))](EventSink* sink) {
      return WriteAnswer(shared, sink);
    };
  } else {
    AskListener listener;
    listener.is_wanted = [client_left = std::move(request.client_left)] {
      return !client_left || !client_left();
    };
    EMEND_CO_ASSIGN_OR_RETURN(
        const AskAnswer answer,
        co_await CollectAnswer(std::move(asking.stream), asking.ask, std::move(listener)));
    response = JsonResponse(200, RenderAnswer(answer));
  }
  response.headers.emplace_back("X-Emend-Commit", commit);
  co_return response;
}

}  // namespace

std::vector<Route> AskRoutes() {
  return {{.method = Method::kPost,
           .pattern = "/api/v1/repos/{repo}/answers",
           .operation_id = "ask",
           .summary = "Let the model at a revision go on from a prompt; with `stream` as events "
                      "(piece, ended, failed)",
           .scope = Scope::kAsk,
           .parameters = {kRepo},
           .body = JsonBody("AskRequest"),
           .answer = {200, "Answer", Streams::kIfAsked, "X-Emend-Commit", "AnswerEvent"},
           .failures = {404, 409, 503},
           .is_answering = true,
           .handler = AskModel}};
}

}  // namespace emend::api::rest
