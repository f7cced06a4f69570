#include "coordinator/core/json_reader.h"

#include <nlohmann/json.hpp>

#include <cmath>

#include "coordinator/core/requests.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::core {
namespace {

using nlohmann::json;

constexpr int kDepthMax = 32;
constexpr std::size_t kLinesMax = 1'000'000;
constexpr std::size_t kListMax = 10'000;

Status Malformed(const std::string& what) {
  return InvalidArgument("reading the JSON body: " + what);
}

// nlohmann keeps the last of two equal keys silently; this notices them, and nesting beyond the
// bound, while it parses.
class Guard {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (depth > kDepthMax) fault_ = "it is nested deeper than " + std::to_string(kDepthMax);
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end) keys_.pop_back();
    if (event == json::parse_event_t::key &&
        !keys_.back().insert(parsed.get<std::string>()).second) {
      fault_ = "the key " + parsed.dump(-1, ' ', false, json::error_handler_t::replace) +
               " comes twice in one object";
    }
    return true;
  }
  const std::string& fault() const { return fault_; }

 private:
  std::vector<std::set<std::string>> keys_;
  std::string fault_;
};

std::string Join(const std::set<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list.empty() ? "none" : list;
}

// Empty if `text` may be stored and shown, else what is wrong.
std::string TextFault(const std::string& text) {
  if (text.size() > kTextBytesMax)
    return "found " + std::to_string(text.size()) + " bytes, at most " +
           std::to_string(kTextBytesMax) + " are allowed";
  if (FirstInvalidUtf8(text)) return "found bytes that are no UTF-8";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f)
      return "found a control character, only newline and tab are allowed";
  }
  return "";
}

std::string TypeName(const json& value) {
  return std::string("found a value of type ") + value.type_name();
}

}  // namespace

struct JsonDocument::Impl {
  json root;
  Status status;
};

JsonDocument::JsonDocument(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;
const Status& JsonDocument::status() const { return impl_->status; }
JsonReader JsonDocument::Root() { return {*impl_, &impl_->root, ""}; }

Result<JsonDocument> JsonDocument::Parse(std::string_view text) {
  auto impl = std::make_unique<Impl>();
  Guard guard;
  try {
    impl->root = json::parse(text, [&guard](int depth, json::parse_event_t event, json& parsed) {
      return guard(depth, event, parsed);
    });
  } catch (const json::exception& error) {
    return Malformed(PlainJsonError(error.what()));
  }
  if (!guard.fault().empty()) return Malformed(guard.fault());
  if (!impl->root.is_object()) return Malformed(TypeName(impl->root) + ", expected an object");
  return JsonDocument(std::move(impl));
}

const void* JsonReader::Find(const char* name) {
  asked_.insert(name);
  const json& object = *static_cast<const json*>(object_);
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

void JsonReader::Fail(const char* name, const std::string& what) {
  if (document_->status.ok())
    document_->status = InvalidArgument("at " + pointer_ + "/" + name + ": " + what);
}

bool JsonReader::Text(const char* name, std::string& out) {
  const auto* value = static_cast<const json*>(Find(name));
  if (value == nullptr) return false;
  if (!value->is_string()) {
    Fail(name, TypeName(*value) + ", expected a text");
    return false;
  }
  const auto& text = value->get_ref<const std::string&>();
  if (const std::string fault = TextFault(text); !fault.empty()) {
    Fail(name, fault);
    return false;
  }
  out = text;
  return true;
}

bool JsonReader::Require(const char* name, std::string& out) {
  if (Find(name) == nullptr) {
    Fail(name, "this field is missing");
    return false;
  }
  return Text(name, out);
}

bool JsonReader::Unsigned(const char* name, std::uint64_t& out) {
  const auto* value = static_cast<const json*>(Find(name));
  if (value == nullptr) return false;
  if (!value->is_number_unsigned()) {
    Fail(name, TypeName(*value) + ", expected a whole number from 0 on");
    return false;
  }
  out = value->get<std::uint64_t>();
  return true;
}

bool JsonReader::Flag(const char* name, bool& out) {
  const auto* value = static_cast<const json*>(Find(name));
  if (value == nullptr) return false;
  if (!value->is_boolean()) {
    Fail(name, TypeName(*value) + ", expected true or false");
    return false;
  }
  out = value->get<bool>();
  return true;
}

bool JsonReader::ReadTexts(const char* name, std::size_t count_max, std::vector<std::string>& out) {
  const auto* value = static_cast<const json*>(Find(name));
  if (value == nullptr) return false;
  if (!value->is_array() || value->size() > count_max) {
    Fail(name, value->is_array() ? "found " + std::to_string(value->size()) + " items, at most " +
                                       std::to_string(count_max) + " are allowed"
                                 : TypeName(*value) + ", expected a list of texts");
    return false;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    const json& item = (*value)[i];
    const std::string fault = item.is_string() ? TextFault(item.get_ref<const std::string&>())
                                               : TypeName(item) + ", expected a text";
    if (!fault.empty()) {
      Fail((std::string(name) + "/" + std::to_string(i)).c_str(), fault);
      return false;
    }
    out.push_back(item.get<std::string>());
  }
  return true;
}

bool JsonReader::Texts(const char* name, std::vector<std::string>& out) {
  return ReadTexts(name, kListMax, out);
}
bool JsonReader::BulkTexts(const char* name, std::vector<std::string>& out) {
  return ReadTexts(name, kLinesMax, out);
}

bool JsonReader::Layers(const char* name, std::vector<std::int32_t>& out) {
  const auto* value = static_cast<const json*>(Find(name));
  if (value == nullptr) return false;
  const bool is_list = value->is_array() && value->size() <= kListMax;
  for (std::size_t i = 0; is_list && i < value->size(); ++i) {
    const json& item = (*value)[i];
    if (!item.is_number_unsigned() || item.get<std::uint64_t>() > kListMax) {
      Fail(name, "found " + item.dump(-1, ' ', false, json::error_handler_t::replace) +
                     ", expected the index of a layer");
      return false;
    }
    out.push_back(item.get<std::int32_t>());
  }
  if (!is_list) Fail(name, TypeName(*value) + ", expected a list of layer indices");
  return is_list;
}

bool JsonReader::TextMap(const char* name, std::vector<std::pair<std::string, std::string>>& out) {
  const auto* value = static_cast<const json*>(Find(name));
  if (value == nullptr) return false;
  if (!value->is_object()) {
    Fail(name, TypeName(*value) + ", expected an object of texts and numbers");
    return false;
  }
  for (const auto& [key, item] : value->items()) {
    if (!item.is_string() && !item.is_number()) {
      Fail((std::string(name) + "/" + key).c_str(),
           TypeName(item) + ", expected a text or a number");
      return false;
    }
    const std::string text = item.is_string() ? item.get<std::string>() : item.dump();
    if (const std::string fault = TextFault(text); !fault.empty()) Fail(name, fault);
    out.emplace_back(key, text);
  }
  return true;
}

bool JsonReader::TextGroups(const char* name, std::vector<std::vector<std::string>>& out) {
  const auto* value = static_cast<const json*>(Find(name));
  if (value == nullptr) return false;
  if (!value->is_array()) {
    Fail(name, TypeName(*value) + ", expected a list of groups of templates");
    return false;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    // Reads each group through a reader of its own, so that the same rules and pointers hold.
    const json wrapped = {{"group", (*value)[i]}};
    JsonReader reader(*document_, &wrapped, pointer_ + "/" + name + "/" + std::to_string(i));
    std::vector<std::string> group;
    if (!reader.Texts("group", group)) return false;
    out.push_back(std::move(group));
  }
  return true;
}

bool JsonReader::List(const char* name, std::size_t count_max,
                      const std::function<void(JsonReader)>& read) {
  const auto* value = static_cast<const json*>(Find(name));
  if (value == nullptr) return false;
  if (!value->is_array() || value->size() > count_max) {
    Fail(name, value->is_array() ? "found " + std::to_string(value->size()) + " items, at most " +
                                       std::to_string(count_max) + " are allowed in one request"
                                 : TypeName(*value) + ", expected a list");
    return false;
  }
  for (std::size_t i = 0; i < value->size(); ++i) {
    const std::string place = std::string(name) + "/" + std::to_string(i);
    if (!(*value)[i].is_object()) {
      Fail(place.c_str(), TypeName((*value)[i]) + ", expected an object");
      return false;
    }
    read(JsonReader(*document_, &(*value)[i], pointer_ + "/" + place));
  }
  return true;
}

void JsonReader::RefuseUnknown() {
  const json& object = *static_cast<const json*>(object_);
  for (const auto& [key, value] : object.items()) {
    if (!asked_.contains(key))
      return Fail(key.c_str(), "this field is unknown here; known are " + Join(asked_));
  }
}

std::string PlainJsonError(std::string_view what) {
  if (const std::size_t end = what.find("] ");
      what.starts_with("[json.exception") && end != std::string_view::npos)
    what.remove_prefix(end + 2);
  return std::string(what);
}

}  // namespace emend::coordinator::core
