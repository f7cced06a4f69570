// A tokenizer.json as a tree of nodes that know where they stand, so that every complaint names its
// place ("pre_tokenizer.pretokenizers[1].pattern"). Thread-safety: const methods are safe. A Node
// borrows the parsed document.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::worker::tokenizer {

using Json = nlohmann::json;

inline constexpr int kJsonDepthMax = 32;

// kInvalidArgument, slug "bad_tokenizer".
Status BadTokenizer(std::string message);

// Parses all of `text`. Refused: text that is not JSON, nesting over kJsonDepthMax, a key that
// stands twice in one object.
Result<Json> ParseJson(std::string_view text);

class Node {
 public:
  Node(const Json* value, std::string path) : value_(value), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  const Json& json() const { return *value_; }
  // True for null and for what is not there.
  bool IsNull() const { return value_ == nullptr || value_->is_null(); }
  bool IsText() const { return value_ != nullptr && value_->is_string(); }
  // The member of an object; a null node if there is none or this is no object.
  Node operator[](const char* name) const;

  Result<std::string> Text() const;
  Result<std::string> Text(std::string_view if_null) const;
  Result<bool> Flag(bool if_null) const;  // NOLINT: the default of a JSON field
  // An integer in [0, bound).
  Result<std::int64_t> Integer(std::int64_t bound) const;
  // The elements of an array; none for a null node. `count_max` bounds them.
  Result<std::vector<Node>> Items(std::size_t count_max) const;
  // The member "type" of a component.
  Result<std::string> Type() const;

  // "<path>: expected <what>, found <kind of value>"
  Status Expected(std::string_view what) const;
  // kUnsupported: this build knows the other types of `role` but not `type`.
  Status UnknownType(std::string_view type, std::string_view known) const;

 private:
  const Json* value_;
  std::string path_;
};

}  // namespace emend::worker::tokenizer
