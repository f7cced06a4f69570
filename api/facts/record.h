// A JSON object whose fields are asked for by name; what is missing, of a wrong type or not asked
// for becomes a problem of its row. Thread-safety: belongs to one thread; borrows the document.
#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "storage/facts/draft.h"
#include "storage/json/value.h"

namespace emend::api::facts {

using storage::facts::Complain;
using storage::facts::Field;
using storage::facts::Items;
using storage::facts::Probe;

class Record {
 public:
  // `what` is what messages call such an object: "a CounterFact record".
  Record(storage::json::Value object, std::string path, std::string what, const Complain& complain)
      : object_(object), path_(std::move(path)), what_(std::move(what)), complain_(complain) {}

  bool Has(const char* name) const { return !object_.Find(name).IsNothing(); }
  // A text or a number; a missing one is a problem.
  Field Text(const char* name);
  // The same, or nothing.
  Field OptionalText(const char* name);
  // The texts of a list, at any depth, or a single one.
  std::vector<Field> Texts(const char* name);
  // The same as prompts.
  std::vector<Probe> Probes(const char* name, Items items = Items::kTexts);
  // A member object. One without members if it is missing, which is a problem.
  Record Object(const char* name);
  // The elements of the lists that are this object's members: {"group": [{...}, {...}]}.
  std::vector<Record> GroupedObjects(const char* name);

  // Fields that such objects have and facts have no use for.
  void PassOver(std::initializer_list<const char*> names) {
    asked_.insert(names.begin(), names.end());
  }
  // Call last: a field that nobody asked for is a problem.
  void RefuseUnknown() const;

 private:
  storage::json::Value Find(const char* name);
  std::string PathOf(const std::string& name) const {
    return path_.empty() ? name : path_ + "." + name;
  }

  storage::json::Value object_;
  std::string path_;
  std::string what_;
  const Complain& complain_;
  std::set<std::string> asked_;
};

}  // namespace emend::api::facts
