// Answering in one of OpenAI's shapes: the texts that a request asks for, whole or as server-sent
// events.
#pragma once

#include "api/rest/handler.h"
#include "api/rest/openai.h"

namespace emend::api::rest {

// The header X-Emend-Commit names the commit of every text. Errors as CompletionShape::read and
// AnswerService::Complete; what a worker refuses in the prompt is kInvalidArgument with the field's
// JSON pointer. `shape` must outlive the answer.
Awaitable<Result<Response>> AnswerInShape(HandlerContext* context, Request request,
                                          const CompletionShape* shape);

}  // namespace emend::api::rest
