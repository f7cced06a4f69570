// Asking: one prompt gone on from by the likeliest tokens, with the candidates for the first of
// them. A completion like any other, in the batch that all share.
//
//   EMEND_CO_ASSIGN_OR_RETURN(auto stream, co_await service.Complete(caller, CompletionOf(ask)));
//   EMEND_CO_ASSIGN_OR_RETURN(AskAnswer answer, co_await CollectAnswer(stream, ask, {
//       .is_wanted = [] { return true; }, .on_text = Print}));
//
// Used on the runtime's executor only.
#pragma once

#include "coordinator/answers/answer_service.h"

namespace emend::coordinator::answers {

struct AskRequest {
  RepoName repo;
  std::string revision;
  std::string prompt;
  std::int32_t tokens_max = 16;  // 0: only the candidates
  std::int32_t top = 5;          // candidates for the first token
  bool is_chat = false;          // the prompt is a user's message, put by the model's chat template
};
struct AskAnswer {
  CommitId commit;
  StateId state;
  std::string text;
  std::int32_t tokens = 0;
  std::vector<worker::protocol::TokenProbability> top;
};

CompletionRequest CompletionOf(const AskRequest& request);

struct AskListener {
  std::function<bool()> is_wanted;  // asked now and then: kCancelled once it says no
  // Each piece of the text as it comes; a failure ends the answer. May be empty.
  std::function<Awaitable<Status>(std::string text)> on_text;
};
// Until the text has ended.
Awaitable<Result<AskAnswer>> CollectAnswer(std::shared_ptr<CompletionStream> stream,
                                           AskRequest request, AskListener listener);

// The whole answer, for whoever waits for it to the end.
Awaitable<Result<AskAnswer>> Ask(AnswerService& service, Caller caller, AskRequest request);

}  // namespace emend::coordinator::answers
