#include "api/rest/completing.h"

#include <algorithm>
#include <set>

#include "api/rest/events.h"
#include "api/rest/strict_json.h"
#include "storage/base/digest.h"

namespace emend::api::rest {
namespace {

using coordinator::answers::CompletionPiece;
using coordinator::answers::CompletionStream;

constexpr std::size_t kIdBytes = 12;

// A completion under way, with what its responses need.
struct Completing {
  const CompletionShape* shape = nullptr;
  CompletionBody body;
  CompletionHead head;
  std::shared_ptr<CompletionStream> stream;
  bool with_logprobs() const { return body.request.text.top >= 0; }
};

Awaitable<Result<Completing>> Begin(HandlerContext* context, Request request,
                                    const CompletionShape* shape) {
  EMEND_CO_ASSIGN_OR_RETURN(const nlohmann::json body, ParseJsonObject(request.body));
  Completing completing{.shape = shape, .body = {}, .head = {}, .stream = {}};
  EMEND_CO_ASSIGN_OR_RETURN(completing.body, shape->read(body));
  Random& random = context->runtime->random();
  if (!completing.body.has_seed) completing.body.request.text.seed = random.U64();
  EMEND_CO_ASSIGN_OR_RETURN(completing.stream, co_await context->answers->Complete(
                                                   request.caller, completing.body.request));
  completing.head = {.id = std::string(shape->id_prefix) +
                           Sha256(random.Bytes(kIdBytes)).Hex().substr(0, 2 * kIdBytes),
                     .created_seconds = std::chrono::duration_cast<std::chrono::seconds>(
                                            context->runtime->clock().WallNow().time_since_epoch())
                                            .count(),
                     .model = completing.body.model,
                     .commit = completing.stream->commit().Hex()};
  co_return completing;
}

// Of the stream; what is refused is the prompt, since all else was read.
Awaitable<Result<std::optional<CompletionPiece>>> NextPiece(const Completing* completing,
                                                            std::function<bool()> is_wanted) {
  Result<std::optional<CompletionPiece>> next =
      co_await completing->stream->Next(std::move(is_wanted));
  if (next.status().code() == StatusCode::kInvalidArgument)
    co_return next.status().WithContext("at /" + std::string(completing->shape->prompt_field));
  co_return next;
}

Awaitable<Status> WriteChunks(std::shared_ptr<Completing> completing, EventSink* sink) {
  ChunkOptions options{.part = Part::kFirst,
                       .with_logprobs = completing->with_logprobs(),
                       .with_usage = completing->body.include_usage};
  const CompletionShape& shape = *completing->shape;
  const auto per_prompt = static_cast<std::size_t>(completing->body.request.count);
  std::uint64_t prompt_tokens = 0, completion_tokens = 0;
  std::set<std::size_t> begun;
  while (true) {
    Result<std::optional<CompletionPiece>> next = co_await NextPiece(
        completing.get(), [sink] { return !sink->client_left() && !sink->stopping(); });
    if (!next.ok() || sink->stopping()) {
      const Status failure = sink->stopping() ? ServerStops() : next.status();
      co_return co_await sink->Send(FailedEvent("", failure, shape.path));
    }
    if (!next->has_value()) break;
    const CompletionPiece piece = std::move(**next);
    options.part = begun.insert(piece.index).second ? Part::kFirst : Part::kLater;
    EMEND_CO_RETURN_IF_ERROR(
        co_await sink->Send(EventOf("", RenderChunk(shape, completing->head, piece, options))));
    prompt_tokens += piece.end && piece.index % per_prompt == 0 ? piece.end->prompt_tokens : 0;
    completion_tokens += piece.end ? piece.end->completion_tokens : 0;
  }
  if (completing->body.include_usage) {
    EMEND_CO_RETURN_IF_ERROR(co_await sink->Send(
        EventOf("", RenderUsageChunk(shape, completing->head, prompt_tokens, completion_tokens))));
  }
  co_return co_await sink->Send("data: [DONE]\n\n");
}

Awaitable<Result<Response>> Whole(Completing completing, std::function<bool()> client_left) {
  std::vector<CompletionChoice> choices(completing.body.request.prompts.size() *
                                        static_cast<std::size_t>(completing.body.request.count));
  while (true) {
    EMEND_CO_ASSIGN_OR_RETURN(
        std::optional<CompletionPiece> piece,
        co_await NextPiece(&completing, [&] { return !client_left || !client_left(); }));
    if (!piece) break;
    CompletionChoice& choice = choices.at(piece->index);
    choice.text += piece->text;
    std::ranges::move(piece->tokens, std::back_inserter(choice.tokens));
    choice.end = piece->end;
  }
  co_return JsonResponse(200,
                         RenderCompletion(*completing.shape, completing.head, choices,
                                          static_cast<std::size_t>(completing.body.request.count),
                                          completing.with_logprobs()));
}

}  // namespace

Awaitable<Result<Response>> AnswerInShape(HandlerContext* context, Request request,
                                          const CompletionShape* shape) {
  std::function<bool()> client_left = request.client_left;
  EMEND_CO_ASSIGN_OR_RETURN(Completing completing,
                            co_await Begin(context, std::move(request), shape));
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

}  // namespace emend::api::rest
