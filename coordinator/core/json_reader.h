// Strict reading of JSON requests: every field is asked for by name, anything else is refused,
// every failure names its JSON pointer.
//
//   EMEND_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(text));
//   JsonReader reader = document.Root();
//   reader.Require("model", request.model);
//   reader.RefuseUnknown();
//   EMEND_RETURN_IF_ERROR(document.status());       // the first failure
//
// Refused by Parse: text that is no JSON or no UTF-8, deeper than 32, duplicate keys, numbers
// beyond double, anything but an object at the top. Texts are valid UTF-8 without control
// characters other than \n and \t, at most kTextBytesMax long. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/status.h"

namespace emend::coordinator::core {

class JsonReader;

class JsonDocument {
 public:
  static Result<JsonDocument> Parse(std::string_view json);
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonReader Root();
  // The first failure of any reader.
  const Status& status() const;

 private:
  friend class JsonReader;
  struct Impl;
  explicit JsonDocument(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Reads the fields of one object. Each call returns true if the field was there and right; absent
// optional fields leave `out` as it is.
class JsonReader {
 public:
  bool Text(const char* name, std::string& out);
  bool Require(const char* name, std::string& out);  // absent is a failure
  bool Unsigned(const char* name, std::uint64_t& out);
  bool Flag(const char* name, bool& out);
  bool Texts(const char* name, std::vector<std::string>& out);
  bool BulkTexts(const char* name, std::vector<std::string>& out);  // up to a million lines
  bool Layers(const char* name, std::vector<std::int32_t>& out);
  // numbers become their shortest text
  bool TextMap(const char* name, std::vector<std::pair<std::string, std::string>>& out);
  bool TextGroups(const char* name, std::vector<std::vector<std::string>>& out);
  // Calls `read` for each object of a list.
  bool List(const char* name, std::size_t count_max, const std::function<void(JsonReader)>& read);

  void Fail(const char* name, const std::string& what);
  // Call last: a field that nobody asked for is a failure.
  void RefuseUnknown();

 private:
  friend class JsonDocument;
  JsonReader(JsonDocument::Impl& document, const void* object, std::string pointer)
      : document_(&document), object_(object), pointer_(std::move(pointer)) {}
  const void* Find(const char* name);
  bool ReadTexts(const char* name, std::size_t count_max, std::vector<std::string>& out);

  JsonDocument::Impl* document_;
  const void* object_;
  std::string pointer_;
  std::set<std::string> asked_;
};

// What a JSON library says of a malformed text, without its own name: "parse error at line 1,
// column 5: ...".
std::string PlainJsonError(std::string_view what);

}  // namespace emend::coordinator::core
