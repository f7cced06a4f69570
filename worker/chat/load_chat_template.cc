#include <algorithm>
#include <nlohmann/json.hpp>

#include "storage/base/file_system.h"
#include "worker/chat/chat_template.h"

namespace emend::worker::chat {
namespace {

using nlohmann::json;

// With it come the added tokens, each with its settings.
constexpr std::uint64_t kConfigBytesMax = std::uint64_t{64} << 20;

Status BadConfig(std::string message) {
  return {StatusCode::kInvalidArgument, "bad_chat_template", std::move(message)};
}

// The file's bytes; nothing if it is not there.
Result<std::optional<std::string>> ReadIfThere(const std::string& path, std::uint64_t bytes_max) {
  PosixFileSystem disk;
  const Result<std::uint64_t> size = disk.Size(path);
  if (size.status().code() == StatusCode::kNotFound) return std::optional<std::string>();
  if (!size.ok()) return size.status();
  if (*size > bytes_max)
    return ResourceExhausted(path + ": has " + std::to_string(*size) + " bytes; at most " +
                             std::to_string(bytes_max) + " are allowed");
  EMEND_ASSIGN_OR_RETURN(std::string bytes, disk.Read(path));
  return std::optional(std::move(bytes));
}

Result<json> ReadConfig(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                         ReadIfThere(path, kConfigBytesMax));
  if (!bytes) return json::object();
  json config = json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) return BadConfig(path + ": expected a JSON object");
  return config;
}

const json* FindMember(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

// "bos_token": a text, or an object with the text under "content".
Result<std::optional<std::string>> ReadSpecialToken(const json& config, const char* name,
                                                    const std::string& path) {
  const json* token = FindMember(config, name);
  if (token != nullptr && token->is_object()) token = FindMember(*token, "content");
  if (token == nullptr) return std::optional<std::string>();
  if (!token->is_string())
    return BadConfig(path + ": \"" + name + "\": expected a text, found " + token->type_name());
  return std::optional(token->get<std::string>());
}

Result<SpecialTokens> ReadSpecialTokens(const json& config, const std::string& path) {
  SpecialTokens tokens;
  EMEND_ASSIGN_OR_RETURN(tokens.bos, ReadSpecialToken(config, "bos_token", path));
  EMEND_ASSIGN_OR_RETURN(tokens.eos, ReadSpecialToken(config, "eos_token", path));
  EMEND_ASSIGN_OR_RETURN(tokens.unk, ReadSpecialToken(config, "unk_token", path));
  EMEND_ASSIGN_OR_RETURN(tokens.pad, ReadSpecialToken(config, "pad_token", path));
  return tokens;
}

// The one called "default" of [{"name": ..., "template": ...}, ...].
Result<std::optional<std::string>> DefaultOf(const json& list, const std::string& path) {
  std::string names;
  for (const json& each : list) {
    const json* const name = each.is_object() ? FindMember(each, "name") : nullptr;
    const json* const text = each.is_object() ? FindMember(each, "template") : nullptr;
    if (name == nullptr || text == nullptr || !name->is_string() || !text->is_string())
      return BadConfig(path +
                       ": \"chat_template\": expected a name and a template in each element");
    if (*name == "default") return std::optional(text->get<std::string>());
    names += (names.empty() ? "\"" : ", \"") + name->get<std::string>() + "\"";
  }
  return BadConfig(path + ": \"chat_template\": expected one called \"default\", found " +
                   (names.empty() ? "none" : names));
}

Result<std::optional<std::string>> TemplateOf(const json& config, const std::string& path) {
  const json* const found = FindMember(config, "chat_template");
  if (found == nullptr) return std::optional<std::string>();
  if (found->is_array()) return DefaultOf(*found, path);
  if (found->is_string()) return std::optional(found->get<std::string>());
  return BadConfig(path + ": \"chat_template\": expected a text or a list, found " +
                   found->type_name());
}

}  // namespace

Result<std::optional<ChatTemplate>> LoadChatTemplate(const std::filesystem::path& model_folder) {
  std::string path = (model_folder / "chat_template.jinja").string();
  const std::string config_path = (model_folder / "tokenizer_config.json").string();
  EMEND_ASSIGN_OR_RETURN(std::optional<std::string> jinja, ReadIfThere(path, kTemplateBytesMax));
  EMEND_ASSIGN_OR_RETURN(const json config, ReadConfig(config_path));
  if (!jinja) {
    path = config_path;
    EMEND_ASSIGN_OR_RETURN(jinja, TemplateOf(config, config_path));
  }
  if (!jinja) return std::optional<ChatTemplate>();
  EMEND_ASSIGN_OR_RETURN(SpecialTokens tokens, ReadSpecialTokens(config, config_path));
  Result<ChatTemplate> parsed = ChatTemplate::Parse(*jinja, std::move(tokens));
  if (!parsed.ok()) return parsed.status().WithContext(path);
  return std::optional(std::move(parsed).value());
}

}  // namespace emend::worker::chat
