// Values as texts, as Python writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "worker/chat/run.h"
#include "worker/chat/value.h"

namespace emend::worker::chat {

// str(): what {{ }} writes; empty for an undefined value. kUnsupported for what nobody shows
// (generators, views, namespaces, macros), and for texts beyond ASCII inside a list or mapping,
// whose escapes are not known here.
Result<std::string> Shown(const Value& value);

struct JsonStyle {
  // What one level of nesting is indented by; on one line if there is none.
  std::optional<std::string> indent;
  std::optional<std::string> item_separator;
  std::optional<std::string> key_separator;
  bool escapes_non_ascii = false;
  bool sorts_keys = false;
};
// json.dumps. A failure names what JSON has no form for.
Result<std::string> ToJson(const Value& value, const JsonStyle& style);

}  // namespace emend::worker::chat
