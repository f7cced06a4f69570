#include "worker/tokenizer/json_node.h"

#include <stdexcept>
#include <unordered_set>

namespace emend::worker::tokenizer {
namespace {

// Thrown through the parser's callback, which has no other way to stop it; never leaves ParseJson.
struct Refusal : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Guard {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kJsonDepthMax)
      throw Refusal("is nested deeper than " + std::to_string(kJsonDepthMax) + " levels");
    if (event == Json::parse_event_t::object_start) keys_.emplace_back();
    if (event == Json::parse_event_t::object_end) keys_.pop_back();
    if (event == Json::parse_event_t::key &&
        !keys_.back().insert(parsed.get_ref<const std::string&>()).second) {
      throw Refusal("has the key " + parsed.dump(-1, ' ', false, Json::error_handler_t::replace) +
                    " twice in one object");
    }
    return true;
  }

 private:
  std::vector<std::unordered_set<std::string>> keys_;
};

}  // namespace

Status BadTokenizer(std::string message) {
  return {StatusCode::kInvalidArgument, "bad_tokenizer", std::move(message)};
}

Result<Json> ParseJson(std::string_view text) {
  Guard guard;
  try {
    return Json::parse(text, [&](int depth, Json::parse_event_t event, Json& parsed) {
      return guard(depth, event, parsed);
    });
  } catch (const Json::parse_error& error) {
    return BadTokenizer("is not JSON: it breaks at byte " + std::to_string(error.byte) + " of " +
                        std::to_string(text.size()));
  } catch (const Json::exception& error) {
    return BadTokenizer(std::string("is not JSON that can be read: ") + error.what());
  } catch (const Refusal& refusal) {
    return BadTokenizer(refusal.what());
  }
}

Node Node::operator[](const char* name) const {
  const std::string path = path_.empty() ? name : path_ + "." + name;
  if (value_ == nullptr || !value_->is_object()) return {nullptr, path};
  const auto found = value_->find(name);
  return {found == value_->end() ? nullptr : &*found, path};
}

Status Node::Expected(std::string_view what) const {
  const std::string found = value_ == nullptr ? "nothing" : value_->type_name();
  return BadTokenizer(path_ + ": expected " + std::string(what) + ", found " + found);
}

Status Node::UnknownType(std::string_view type, std::string_view known) const {
  return Unsupported(path_ + ": the type \"" + std::string(type) +
                     "\" is not supported; supported here: " + std::string(known));
}

Result<std::string> Node::Text() const {
  if (!IsText()) return Expected("a string");
  return value_->get_ref<const std::string&>();
}

Result<std::string> Node::Text(std::string_view if_null) const {
  if (IsNull()) return std::string(if_null);
  return Text();
}

Result<bool> Node::Flag(bool if_null) const {
  if (IsNull()) return if_null;
  if (!value_->is_boolean()) return Expected("true or false");
  return value_->get<bool>();
}

Result<std::int64_t> Node::Integer(std::int64_t bound) const {
  if (value_ == nullptr || !value_->is_number_integer()) return Expected("an integer");
  const bool too_large = value_->is_number_unsigned() &&
                         value_->get<std::uint64_t>() >= static_cast<std::uint64_t>(bound);
  if (too_large || value_->get<std::int64_t>() < 0)
    return BadTokenizer(path_ + ": " + value_->dump() + " is not between 0 and " +
                        std::to_string(bound - 1));
  return value_->get<std::int64_t>();
}

Result<std::vector<Node>> Node::Items(std::size_t count_max) const {
  std::vector<Node> items;
  if (IsNull()) return items;
  if (!value_->is_array()) return Expected("an array");
  if (value_->size() > count_max) {
    return ResourceExhausted(path_ + ": has " + std::to_string(value_->size()) +
                             " items; at most " + std::to_string(count_max) + " are allowed");
  }
  for (std::size_t i = 0; i < value_->size(); ++i)
    items.emplace_back(&(*value_)[i], path_ + "[" + std::to_string(i) + "]");
  return items;
}

Result<std::string> Node::Type() const {
  if (value_ == nullptr || !value_->is_object()) return Expected("an object with a \"type\"");
  return (*this)["type"].Text();
}

}  // namespace emend::worker::tokenizer
