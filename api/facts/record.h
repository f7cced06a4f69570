// A JSON object whose fields are asked for by name; what is missing or of a wrong type becomes a
// problem of its row. Thread-safety: belongs to one thread; borrows the object and the problems.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/facts/draft.h"
#include "api/facts/json_rows.h"

namespace emend::api::facts {

class Record {
 public:
  Record(const Json& object, std::string path, std::size_t row, ProblemList* problems)
      : object_(object), path_(std::move(path)), row_(row), problems_(*problems) {}

  bool Has(const char* name) const;
  // A string; a missing one is a problem.
  Field Text(const char* name) const;
  // A string, a number as text, or nothing.
  std::optional<Field> OptionalText(const char* name) const;
  // The strings of an array, at any depth, or a single string.
  std::vector<Field> Texts(const char* name) const;
  // The member objects. An object without members if it is missing, which is a problem.
  Record Object(const char* name) const;
  // The elements of the arrays that are this object's members: {"group": [{...}, {...}]}.
  std::vector<Record> GroupedObjects(const char* name) const;

 private:
  std::string PathOf(const char* name) const { return path_.empty() ? name : path_ + "." + name; }
  void Expected(const std::string& path, std::string_view what, const Json* found) const;
  void AppendTexts(const Json& value, const std::string& path, int depth,
                   std::vector<Field>* texts) const;

  const Json& object_;
  std::string path_;
  std::size_t row_;
  ProblemList& problems_;
};

}  // namespace emend::api::facts
