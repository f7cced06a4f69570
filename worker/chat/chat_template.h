// ChatTemplate: a conversation to the text that a model was trained to continue, by the model's own
// chat template. Templates are Jinja, run as the Python package transformers runs them in
// apply_chat_template (trim_blocks, lstrip_blocks, loop controls, an immutable sandbox), and give
// the same bytes.
//
//   EMEND_ASSIGN_OR_RETURN(const std::optional<ChatTemplate> chat, LoadChatTemplate("models/a"));
//   if (!chat) return Unsupported("the model has no chat template");
//   EMEND_ASSIGN_OR_RETURN(const std::string prompt, chat->Render({{"user", "Who are you?"}}));
//
// The text holds the special tokens that the template writes (often the first one too): encode it
// without adding any. What is known of Jinja is in README.md; a template with anything else is
// refused by Parse. A template is a stranger's program: its size, nesting, steps and texts are
// bounded, and it sees nothing but its variables. Thread-safety: const methods are safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/status.h"

namespace emend::worker::chat {

inline constexpr std::size_t kTemplateBytesMax = std::size_t{1} << 20;
// Of what a template renders, or of one text inside it.
inline constexpr std::size_t kTextBytesMax = std::size_t{4} << 20;

struct Message {
  std::string role;
  std::string content;
};

// What templates call bos_token and so on; undefined there where the model names none.
struct SpecialTokens {
  std::optional<std::string> bos;
  std::optional<std::string> eos;
  std::optional<std::string> unk;
  std::optional<std::string> pad;
};

struct Options {
  // The beginning of the assistant's turn is written after the last message.
  bool adds_generation_prompt = true;
  // Further variables ("enable_thinking"); one called as a special token goes before it.
  std::map<std::string, std::variant<bool, std::int64_t, std::string>> variables;
  // What strftime_now shows, as UTC; the machine's clock if there is none.
  std::optional<WallTime> now;
};

class Program;  // a parsed template

class ChatTemplate {
 public:
  // kInvalidArgument (slug "bad_chat_template") for what is no template, kUnsupported
  // ("unsupported_chat_template") for a construct that this build does not know, each with the line
  // and what was found; kResourceExhausted for a template over the bounds.
  static Result<ChatTemplate> Parse(std::string_view jinja, SpecialTokens tokens = {});

  // kInvalidArgument: slug "refused_by_chat_template" with the template's own words where it calls
  // raise_exception (roles that do not alternate, a system message where the model knows none);
  // "chat_template_failed" with the line where it stops in an error; texts that are not UTF-8.
  // kUnsupported where it comes to what this build does not do; kResourceExhausted at a bound.
  Result<std::string> Render(const std::vector<Message>& messages,
                             const Options& options = {}) const;

 private:
  ChatTemplate(std::shared_ptr<const Program> program, SpecialTokens tokens)
      : program_(std::move(program)), tokens_(std::move(tokens)) {}

  std::shared_ptr<const Program> program_;
  SpecialTokens tokens_;
};

// The template of a model's folder: chat_template.jinja, else "chat_template" of
// tokenizer_config.json (a text, or the one called "default" of a list); nothing if the folder has
// neither. The special tokens are tokenizer_config.json's. Blocks. Failures: the disk's, Parse's;
// kInvalidArgument ("bad_chat_template") for a tokenizer_config.json that is not what it should be.
Result<std::optional<ChatTemplate>> LoadChatTemplate(const std::filesystem::path& model_folder);

}  // namespace emend::worker::chat
