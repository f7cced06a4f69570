// What was read, as JSON in one line.
#pragma once

#include <string>

#include "storage/base/log.h"
#include "storage/json/value.h"

namespace emend::test {

inline void Append(storage::json::Value value, std::string& out) {
  switch (value.kind()) {
    case storage::json::Kind::kAbsent:
    case storage::json::Kind::kNull: out += "null"; return;
    case storage::json::Kind::kFlag: out += value.flag() ? "true" : "false"; return;
    case storage::json::Kind::kNumber: out += value.digits(); return;
    case storage::json::Kind::kText: out += JsonQuote(value.text()); return;
    case storage::json::Kind::kList:
    case storage::json::Kind::kObject: break;
  }
  const bool is_object = value.is(storage::json::Kind::kObject);
  out += is_object ? '{' : '[';
  const std::size_t start = out.size();
  const auto separate = [&] { out += out.size() == start ? "" : ","; };
  for (const auto& [name, member] : value.Members()) {
    separate();
    out += JsonQuote(name) + ":";
    Append(member, out);
  }
  for (std::size_t i = 0; !is_object && i < value.size(); ++i) {
    separate();
    Append(value[i], out);
  }
  out += is_object ? '}' : ']';
}

inline std::string Dump(storage::json::Value value) {
  std::string out;
  Append(value, out);
  return out;
}

}  // namespace emend::test
