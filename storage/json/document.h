// JSON, read strictly.
//
//   EMEND_ASSIGN_OR_RETURN(Document document, Document::Parse(text));
//   Reader reader = document.Root();             // reader.h: the fields of an object, by name
//   reader.Require("model", request.model);
//   reader.RefuseUnknown();
//   EMEND_RETURN_IF_ERROR(document.status());    // the first failure
//
// Refused by Parse, with the line and column or the JSON pointer: text that is no JSON or no UTF-8,
// nesting beyond kDepthMax, a key that comes twice in one object, numbers beyond double, NaN and
// Infinity (by name). A whole number may be written as 4.0. A Document belongs to one thread; a
// Value may be read by several.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/json/value.h"

namespace emend::storage::json {

inline constexpr int kDepthMax = 32;
inline constexpr std::size_t kProblemsKeptMax = 100;

class Reader;

// What is wrong with a field.
struct Problem {
  std::string pointer;  // RFC 6901: "/facts/3/prompt"
  std::string message;
};

enum class Top : std::uint8_t { kObject, kAny };

class Document {
 public:
  // kInvalidArgument, slug "malformed_json".
  static Result<Document> Parse(std::string_view text, Top top = Top::kObject);
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  Value root() const;
  Reader Root();
  // The first problem of any reader, as "at <pointer>: <message>".
  Status status() const;
  // The first kProblemsKeptMax of them.
  const std::vector<Problem>& problems() const;

 private:
  friend class Reader;
  friend struct RowReader;
  struct Impl;
  explicit Document(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace emend::storage::json
