#include "worker/server/conversation.h"

namespace emend::worker::server {
namespace {

Status NoChatTemplate(const std::string& why) {
  return {StatusCode::kFailedPrecondition, "no_chat_template",
          "putting a conversation to the model: " + why +
              "; send the whole text, as the model was trained to go on from it, as a prompt (POST "
              "/v1/completions, or emend ask without --chat)"};
}

}  // namespace

Result<std::vector<tokenizer::TokenId>> EncodePrompt(const LiveBase& base, const std::string& text,
                                                     tokenizer::SpecialTokens special) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<tokenizer::Token> tokens,
                         base.tokenizer().Encode(text, special));
  std::vector<tokenizer::TokenId> ids;
  for (const tokenizer::Token& token : tokens) ids.push_back(token.id);
  return ids;
}

Result<std::vector<tokenizer::TokenId>> EncodeConversation(
    const LiveBase& base, const std::vector<chat::Message>& messages, WallTime now) {
  const Result<std::optional<chat::ChatTemplate>>& chat = base.chat_template();
  if (!chat.ok())
    return NoChatTemplate("its chat template cannot be used (" + chat.status().message() + ")");
  if (!*chat) return NoChatTemplate("it has no chat template");
  chat::Options options;
  options.now = now;
  EMEND_ASSIGN_OR_RETURN(const std::string text, (*chat)->Render(messages, options));
  return EncodePrompt(base, text, tokenizer::SpecialTokens::kPlain);
}

}  // namespace emend::worker::server
