#include "worker/server/texts.h"

#include <cmath>
#include <utility>

#include "worker/server/conversation.h"

namespace emend::worker::server {
namespace {

Result<std::vector<tokenizer::TokenId>> PromptOf(const LiveBase& base,
                                                 const protocol::Complete& text) {
  if (!text.tokens.empty()) return text.tokens;
  if (text.messages.empty())
    return EncodePrompt(base, text.prompt, tokenizer::SpecialTokens::kWithTemplate);
  std::vector<chat::Message> messages;
  for (const protocol::ChatMessage& message : text.messages)
    messages.push_back({message.role, message.content});
  // A template that writes the time as well writes midnight: all texts of a day have one prompt.
  return EncodeConversation(base, messages,
                            std::chrono::floor<std::chrono::days>(SystemClock().WallNow()));
}

Result<eval::CompletionRequest> RequestOf(const LiveBase& base, const protocol::Complete& text) {
  eval::CompletionRequest request;
  EMEND_ASSIGN_OR_RETURN(request.prompt, PromptOf(base, text));
  request.state = text.state;
  request.tokens_max = text.tokens_max;
  request.sampling = {
      .temperature = text.temperature, .top_p = text.top_p, .top_k = text.top_k, .seed = text.seed};
  request.stop = text.stop;
  if (text.top >= 0) request.logprobs = text.top;
  request.echo = text.echo;
  return request;
}

protocol::Piece PieceOf(const StateId& state, eval::CompletionPiece piece) {
  protocol::Piece said{.id = 0, .state = state, .text = std::move(piece.text), .tokens = {}};
  for (const eval::TokenLogprob& token : piece.tokens) {
    protocol::PieceToken& named = said.tokens.emplace_back(protocol::PieceToken{
        token.token.text, token.token.logprob, static_cast<std::uint64_t>(token.text_begin), {}});
    if (token.is_first) named.log_probability.reset();
    for (const eval::LikelyToken& likely : token.top)
      named.top.push_back({likely.text, std::exp(likely.logprob)});
  }
  return said;
}

Result<protocol::ReplyBody> ReplyOf(const Result<eval::CompletionEnd>& end) {
  if (!end.ok()) return end.status();
  return protocol::ReplyBody(protocol::CompleteReply{
      .is_cut = end->reason == eval::FinishReason::kLength,
      .prompt_tokens = static_cast<std::uint64_t>(end->prompt_tokens),
      .completion_tokens = static_cast<std::uint64_t>(end->completion_tokens)});
}

// A live state's model, which holds the state.
Result<std::shared_ptr<const model::Transformer>> FindModel(LiveBase& base, const StateId& state) {
  EMEND_ASSIGN_OR_RETURN(std::shared_ptr<const LiveState> live, base.Find(state));
  const model::Transformer* const model = &base.ModelOf(*live);
  return std::shared_ptr<const model::Transformer>(std::move(live), model);
}

}  // namespace

Texts::Texts(LiveBase& base)
    : base_(base),
      engine_(base.base_model(), base.tokenizer(),
              [&base](const StateId& state) { return FindModel(base, state); }, {}) {}

void Texts::Begin(std::shared_ptr<Interlude> interlude) {
  const auto& text = std::get<protocol::Complete>(interlude->request);
  Result<eval::CompletionRequest> request = RequestOf(base_, text);
  // Said at once, so that the coordinator makes it live, instead of when its turn has come.
  Status begun = request.status();
  if (begun.ok()) begun = base_.CheckLive(text.state);
  if (begun.ok()) {
    eval::CompletionListener listener;
    listener.cancelled = interlude->call.cancelled;
    listener.on_piece = [interlude, state = text.state](eval::CompletionPiece piece) {
      interlude->on_piece(PieceOf(state, std::move(piece)));
    };
    listener.on_end = [interlude](const Result<eval::CompletionEnd>& end) {
      interlude->done(ReplyOf(end));
    };
    begun = engine_.Add(std::move(*request), std::move(listener));
  }
  if (!begun.ok()) interlude->done(begun);
  under_way_ = under_way_ || begun.ok();
}

Status Texts::Step() {
  if (base_.base_model().communicator().rank() != 0) return engine_.Follow();
  const Result<bool> more = engine_.Step();
  under_way_ = more.ok() && *more;
  return more.status();
}

void Texts::EndAll(const Status& status) {
  engine_.EndAll(status);
  under_way_ = false;
}

}  // namespace emend::worker::server
