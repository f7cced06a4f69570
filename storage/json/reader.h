// The fields of one object: every field is asked for by name, anything else is refused, every
// failure names its JSON pointer. Texts have no control characters other than \n and \t and are at
// most kTextBytesMax long.
//
// Each call returns true if the field was there and right; an absent field leaves `out` as it is.
// null is not absent, unless a Find says so. Borrows its Document. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/json/document.h"

namespace emend::storage::json {

inline constexpr std::size_t kTextBytesMax = 65'536;
inline constexpr std::size_t kListMax = 10'000;

class Reader {
 public:
  bool Text(std::string_view name, std::string& out);
  bool Filled(std::string_view name, std::string& out);   // an empty one is a failure
  bool Require(std::string_view name, std::string& out);  // as Filled; absent is a failure
  bool Unsigned(std::string_view name, std::uint64_t& out);
  bool Whole(std::string_view name, std::int64_t& out, std::int64_t min, std::int64_t max);
  bool Number(std::string_view name, double& out, double min, double max);
  bool Flag(std::string_view name, bool& out);
  bool Texts(std::string_view name, std::vector<std::string>& out);
  bool BulkTexts(std::string_view name, std::vector<std::string>& out);  // up to a million lines
  bool Indices(std::string_view name, std::vector<std::int32_t>& out);
  // numbers become their text; 4.0 is "4"
  bool TextMap(std::string_view name, std::vector<std::pair<std::string, std::string>>& out);
  bool TextGroups(std::string_view name, std::vector<std::vector<std::string>>& out);
  // Calls `read` for each object of a list.
  bool List(std::string_view name, std::size_t count_max, const std::function<void(Reader)>& read);

  // The object that is read.
  Value object() const { return object_; }
  const std::string& pointer() const { return pointer_; }
  // For fields of other kinds: absent if there is none.
  Value Find(std::string_view name);
  void Fail(std::string_view name, const std::string& what);
  // Fails with "expected <what>, found <what is there>".
  void Expected(std::string_view name, std::string_view what);
  // Call last: a field that nobody asked for is a failure.
  void RefuseUnknown();

 private:
  friend class Document;
  Reader(Document::Impl& document, Value object, std::string pointer)
      : document_(&document), object_(object), pointer_(std::move(pointer)) {}
  bool ReadTexts(const std::string& place, Value list, std::size_t count_max,
                 std::vector<std::string>& out);
  bool ReadText(const std::string& place, Value value, std::string& out);

  Document::Impl* document_;
  Value object_;
  std::string pointer_;
  std::set<std::string, std::less<>> asked_;
};

// Empty if `text` may be stored and shown, else what is wrong.
std::string TextFaultOf(std::string_view text);

}  // namespace emend::storage::json
