#include "worker/chat/chat_template.h"

#include "storage/base/utf8.h"
#include "worker/chat/lexer.h"
#include "worker/chat/nodes.h"
#include "worker/chat/parser.h"
#include "worker/chat/run.h"

namespace emend::worker::chat {

class Program {
 public:
  explicit Program(Body body) : body_(std::move(body)) {}
  const Body& body() const { return body_; }

 private:
  const Body body_;
};

namespace {

constexpr std::string_view kParsing = "reading a chat template";
constexpr std::string_view kRendering = "rendering a chat template";

Status CheckUtf8(std::string_view text, std::string_view name) {
  const std::optional<std::size_t> offset = FirstInvalidUtf8(text);
  if (!offset) return OkStatus();
  return InvalidArgument(std::string(name) + " is not UTF-8 at byte " + std::to_string(*offset));
}

Result<Value> MessagesValue(Run& run, const std::vector<Message>& messages) {
  Values values;
  for (const Message& message : messages) {
    const std::string name = "message " + std::to_string(values.size());
    EMEND_RETURN_IF_ERROR(CheckUtf8(message.role, "the role of " + name));
    EMEND_RETURN_IF_ERROR(CheckUtf8(message.content, "the content of " + name));
    EMEND_ASSIGN_OR_RETURN(Value role, run.MakeText(message.role));
    EMEND_ASSIGN_OR_RETURN(Value content, run.MakeText(message.content));
    EMEND_ASSIGN_OR_RETURN(Value value,
                           run.MakeDict({{Value::Text("role"), std::move(role)},
                                         {Value::Text("content"), std::move(content)}}));
    values.push_back(std::move(value));
  }
  return run.MakeSequence(SequenceKind::kList, std::move(values));
}

Result<Value> VariableValue(Run& run, const std::variant<bool, std::int64_t, std::string>& data) {
  if (const bool* const flag = std::get_if<bool>(&data)) return Value::Of(*flag);
  if (const auto* const integer = std::get_if<std::int64_t>(&data)) return Value::Of(*integer);
  const std::string& text = std::get<std::string>(data);
  EMEND_RETURN_IF_ERROR(CheckUtf8(text, "a variable"));
  return run.MakeText(text);
}

Status SetTokens(Run& run, const SpecialTokens& tokens) {
  const std::pair<const char*, const std::optional<std::string>*> named[] = {
      {"bos_token", &tokens.bos},
      {"eos_token", &tokens.eos},
      {"unk_token", &tokens.unk},
      {"pad_token", &tokens.pad}};
  for (const auto& [name, token] : named) {
    if (!token->has_value()) continue;
    EMEND_RETURN_IF_ERROR(CheckUtf8(**token, name));
    EMEND_ASSIGN_OR_RETURN(Value text, run.MakeText(**token));
    run.root.Set(name, std::move(text));
  }
  return OkStatus();
}

// What apply_chat_template gives to a template that is called without tools and documents.
Status SetVariables(Run& run, const std::vector<Message>& messages, const SpecialTokens& tokens,
                    const Options& options) {
  EMEND_RETURN_IF_ERROR(SetTokens(run, tokens));
  for (const auto& [name, data] : options.variables) {
    EMEND_ASSIGN_OR_RETURN(Value value, VariableValue(run, data));
    run.root.Set(name, std::move(value));
  }
  EMEND_ASSIGN_OR_RETURN(Value value, MessagesValue(run, messages));
  run.root.Set("messages", std::move(value));
  run.root.Set("tools", Value::None());
  run.root.Set("documents", Value::None());
  run.root.Set("add_generation_prompt", Value::Of(options.adds_generation_prompt));
  return OkStatus();
}

}  // namespace

Result<ChatTemplate> ChatTemplate::Parse(std::string_view jinja, SpecialTokens tokens) {
  if (jinja.size() > kTemplateBytesMax)
    return ResourceExhausted(std::string(kParsing) + ": it has " + std::to_string(jinja.size()) +
                             " bytes; at most " + std::to_string(kTemplateBytesMax) +
                             " are allowed");
  if (const std::optional<std::size_t> offset = FirstInvalidUtf8(jinja))
    return BadTemplate(1, "it is not UTF-8 at byte " + std::to_string(*offset))
        .WithContext(kParsing);
  Result<std::vector<Token>> lexed = Tokenize(jinja);
  if (!lexed.ok()) return lexed.status().WithContext(kParsing);
  Result<Body> body = Parser(std::move(lexed).value()).ParseTemplate();
  if (!body.ok()) return body.status().WithContext(kParsing);
  return ChatTemplate(std::make_shared<const Program>(std::move(body).value()), std::move(tokens));
}

Result<std::string> ChatTemplate::Render(const std::vector<Message>& messages,
                                         const Options& options) const {
  Run run(options.now ? *options.now : SystemClock().WallNow());
  const Status ready = SetVariables(run, messages, tokens_, options);
  if (!ready.ok()) return ready.WithContext(kRendering);
  const Result<Flow> flow = program_->body().Execute(run);
  if (flow.ok()) return std::move(run.output);
  const std::string line = ", line " + std::to_string(run.line());
  return flow.status().WithContext(std::string(kRendering) + line);
}

}  // namespace emend::worker::chat
