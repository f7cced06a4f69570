#include "coordinator/answers/ask.h"

#include <algorithm>
#include <utility>

namespace emend::coordinator::answers {

CompletionRequest CompletionOf(const AskRequest& request) {
  CompletionRequest completion;
  completion.repo = request.repo;
  completion.revision = request.revision;
  completion.prompts = {Prompt{.text = request.is_chat ? "" : request.prompt}};
  if (request.is_chat) completion.text.messages = {{"user", request.prompt}};
  completion.text.temperature = 0;
  completion.text.tokens_max = std::max(1, request.tokens_max);
  completion.text.top = request.top > 0 ? request.top : -1;
  return completion;
}

Awaitable<Result<AskAnswer>> CollectAnswer(std::shared_ptr<CompletionStream> stream,
                                           AskRequest request, AskListener listener) {
  AskAnswer answer;
  answer.commit = stream->commit();
  answer.state = stream->state();
  bool has_first = false;
  while (true) {
    EMEND_CO_ASSIGN_OR_RETURN(const std::optional<CompletionPiece> piece,
                              co_await stream->Next(listener.is_wanted));
    if (!piece) break;
    if (!has_first && !piece->tokens.empty()) answer.top = piece->tokens.front().top;
    has_first = has_first || !piece->tokens.empty();
    if (request.tokens_max == 0) continue;
    if (piece->end) answer.tokens = static_cast<std::int32_t>(piece->end->completion_tokens);
    answer.text += piece->text;
    if (listener.on_text && !piece->text.empty())
      EMEND_CO_RETURN_IF_ERROR(co_await listener.on_text(piece->text));
  }
  co_return answer;
}

Awaitable<Result<AskAnswer>> Ask(AnswerService& service, Caller caller, AskRequest request) {
  EMEND_CO_ASSIGN_OR_RETURN(auto stream,
                            co_await service.Complete(std::move(caller), CompletionOf(request)));
  AskListener listener{.is_wanted = [] { return true; }, .on_text = {}};
  co_return co_await CollectAnswer(std::move(stream), std::move(request), std::move(listener));
}

}  // namespace emend::coordinator::answers
