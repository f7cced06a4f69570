// What the model says.
#include "worker/eval/sample.h"
#include "worker/server/questions.h"
#include "worker/server/reports.h"

namespace emend::worker::server {

Result<protocol::SampleTextsReply> Run(const protocol::SampleTexts& request, Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  eval::SampleOptions options;
  options.count = request.count;
  options.max_tokens = request.tokens_max;
  options.top_k = request.top_k;
  options.seed = request.seed;
  options.progress = EvalProgress(context, "sample");
  protocol::SampleTextsReply reply;
  for (const std::string& prefix : request.prefixes) {
    EMEND_ASSIGN_OR_RETURN(
        const eval::SampledTexts sampled,
        eval::SampleTexts(base->base_model(), base->tokenizer(), prefix, options));
    reply.texts.insert(reply.texts.end(), sampled.texts.begin(), sampled.texts.end());
    reply.tokens += static_cast<std::uint64_t>(sampled.tokens);
    ++options.seed;
  }
  if (request.contexts) reply.contexts = ChatContexts(*base);
  return reply;
}

Result<protocol::CompleteReply> Run(const protocol::Complete&, Context&) {
  return Internal("a text was asked for as if it were answered at once");
}

Result<protocol::StepTextsReply> Run(const protocol::StepTexts& request, Context& context) {
  EMEND_RETURN_IF_ERROR(context.slot.Find(request.base).status());
  const Status stepped = context.slot.texts().Step();
  context.slot.NoteCache();
  EMEND_RETURN_IF_ERROR(stepped);
  return protocol::StepTextsReply{};
}

}  // namespace emend::worker::server
