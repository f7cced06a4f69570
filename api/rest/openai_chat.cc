// What is said next in conversations: POST /v1/chat/completions.
#include <algorithm>
#include <array>
#include <cmath>

#include "api/rest/openai_fields.h"

namespace emend::api::rest {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using worker::protocol::ChatMessage;
using worker::protocol::PieceToken;

constexpr std::int64_t kReplyTokens = 1024;  // where the request says nothing
constexpr std::int64_t kTopLogprobsMax = 20;
constexpr std::size_t kMessagesMax = 1024;
// Which of them a model knows, and in which order, its template says.
constexpr std::array<std::string_view, 5> kRoles = {"system", "developer", "user", "assistant",
                                                    "tool"};

// A text, or texts one after the other.
std::string ReadContent(Fields& message) {
  const json* const content = message.Find("content");
  std::string text;
  bool fits = content != nullptr && (content->is_string() || content->is_array());
  if (fits && content->is_string()) return content->get<std::string>();
  for (const json& part : fits ? *content : json::array()) {
    fits = fits && part.is_object() && part.size() == 2 && part.value("type", json()) == "text" &&
           part.value("text", json()).is_string();
    if (fits) text += part["text"].get_ref<const std::string&>();
  }
  if (!fits) {
    message.Refuse("content", content == nullptr ? json() : *content,
                   "a text, or a list of {\"type\": \"text\", \"text\": TEXT}");
  }
  return text;
}

Result<ChatMessage> ReadMessage(const json& message, const std::string& place) {
  if (!message.is_object())
    return InvalidArgument("at /" + place + ": found " + Shown(message) +
                           ", expected an object with role and content");
  Fields fields(message, place + "/");
  ChatMessage read{.role = fields.Required("role"), .content = ReadContent(fields)};
  if (std::ranges::find(kRoles, read.role) == kRoles.end())
    fields.Refuse("role", read.role, "system, developer, user, assistant or tool");
  // What a message of ours comes back with.
  fields.Neutral("refusal", nullptr);
  fields.Neutral("tool_calls", json::array());
  fields.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(fields.status());
  return read;
}

Result<std::vector<ChatMessage>> ReadMessages(Fields& fields) {
  const json* const list = fields.Find("messages");
  const bool fits =
      list != nullptr && list->is_array() && !list->empty() && list->size() <= kMessagesMax;
  if (!fits) {
    fields.Refuse("messages", list == nullptr ? json() : *list,
                  "a list of 1 to " + std::to_string(kMessagesMax) + " messages");
  }
  std::vector<ChatMessage> messages;
  for (std::size_t i = 0; fits && i < list->size(); ++i) {
    EMEND_ASSIGN_OR_RETURN(messages.emplace_back(),
                           ReadMessage((*list)[i], "messages/" + std::to_string(i)));
  }
  return messages;
}

void ReadTop(Fields& fields, worker::protocol::Complete& text) {
  const auto top = static_cast<std::int32_t>(fields.Whole("top_logprobs", 0, {0, kTopLogprobsMax}));
  text.top = fields.Flag("logprobs") ? top : -1;
  if (top > 0 && text.top < 0) fields.Refuse("top_logprobs", top, "logprobs: true beside it");
}

Result<CompletionBody> ReadChatBody(const json& body) {
  Fields fields(body);
  CompletionBody completion;
  worker::protocol::Complete& text = completion.request.text;
  completion.request.prompts.emplace_back();
  EMEND_ASSIGN_OR_RETURN(text.messages, ReadMessages(fields));
  ReadCommonFields(fields, completion);
  const std::int64_t tokens_max = fields.Whole("max_tokens", kReplyTokens, {1, kTokensMax});
  text.tokens_max =
      static_cast<std::int32_t>(fields.Whole("max_completion_tokens", tokens_max, {1, kTokensMax}));
  ReadTop(fields, text);
  fields.Neutral("tools", json::array());
  fields.Neutral("tool_choice", "none");
  fields.Neutral("response_format", {{"type", "text"}});
  fields.RefuseUnknown();
  EMEND_RETURN_IF_ERROR(fields.status());
  return completion;
}

ordered_json SaidMessage(const std::string& text, Part part) {
  if (part == Part::kWhole)
    return {{"message", {{"role", "assistant"}, {"content", text}, {"refusal", nullptr}}}};
  ordered_json delta = json::object();
  if (part == Part::kFirst) delta["role"] = "assistant";
  if (part == Part::kFirst || !text.empty()) delta["content"] = text;
  return {{"delta", std::move(delta)}};
}

ordered_json RenderToken(const std::string& token, double log_probability) {
  ordered_json bytes = json::array();
  for (const char byte : token) bytes.push_back(static_cast<unsigned char>(byte));
  return {{"token", NameOf(token)}, {"logprob", log_probability}, {"bytes", std::move(bytes)}};
}

ordered_json RenderChatLogprobs(const std::vector<PieceToken>& tokens) {
  ordered_json content = json::array();
  for (const PieceToken& token : tokens) {
    ordered_json top = json::array();
    for (const worker::protocol::TokenProbability& likely : token.top)
      top.push_back(RenderToken(likely.token, std::log(likely.probability)));
    content.push_back(RenderToken(token.token, *token.log_probability));
    content.back()["top_logprobs"] = std::move(top);
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

}  // namespace

const CompletionShape kChatShape = {.path = "/v1/chat/completions",
                                    .id_prefix = "chatcmpl-",
                                    .object = "chat.completion",
                                    .chunk_object = "chat.completion.chunk",
                                    .prompt_field = "messages",
                                    .read = ReadChatBody,
                                    .said = SaidMessage,
                                    .logprobs = RenderChatLogprobs};

}  // namespace emend::api::rest
