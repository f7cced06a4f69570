#include "api/facts/record.h"

#include "storage/base/utf8.h"
#include "storage/facts/fact_json.h"

namespace emend::api::facts {

using storage::json::Kind;
using storage::json::Value;

Value Record::Find(const char* name) {
  asked_.insert(name);
  return object_.Find(name);
}

Field Record::Text(const char* name) {
  const Value value = Find(name);
  if (value.IsNothing()) complain_(PathOf(name), "expected a string, found " + value.Found());
  return storage::facts::TextIn(value, PathOf(name), complain_);
}

Field Record::OptionalText(const char* name) {
  return storage::facts::TextIn(Find(name), PathOf(name), complain_);
}

std::vector<Field> Record::Texts(const char* name) {
  return storage::facts::TextsIn(Find(name), PathOf(name), complain_);
}

std::vector<Probe> Record::Probes(const char* name, Items items) {
  return storage::facts::ProbesIn(Find(name), PathOf(name), items, complain_);
}

Record Record::Object(const char* name) {
  const Value value = Find(name);
  if (!value.is(Kind::kObject))
    complain_(PathOf(name), "expected an object, found " + value.Found());
  return {value, PathOf(name), what_, complain_};
}

std::vector<Record> Record::GroupedObjects(const char* name) {
  std::vector<Record> objects;
  const Value groups = Find(name);
  if (groups.IsNothing()) return objects;
  if (!groups.is(Kind::kObject))
    complain_(PathOf(name), "expected an object of lists, found " + groups.Found());
  for (const auto& [group, items] : groups.Members()) {
    const std::string path = PathOf(name) + "." + Shortened(group);
    if (!items.is(Kind::kList) && !items.IsNothing())
      complain_(path, "expected a list of objects, found " + items.Found());
    for (std::size_t k = 0; items.is(Kind::kList) && k < items.size(); ++k) {
      const std::string place = path + "[" + std::to_string(k) + "]";
      if (items[k].is(Kind::kObject)) {
        objects.emplace_back(items[k], place, what_, complain_);
      } else {
        complain_(place, "expected an object, found " + items[k].Found());
      }
    }
  }
  return objects;
}

void Record::RefuseUnknown() const {
  std::string known;
  for (const std::string& name : asked_) known += (known.empty() ? "" : ", ") + name;
  for (const auto& member : object_.Members()) {
    if (!asked_.contains(member.name))
      complain_(PathOf(Shortened(member.name)),
                "is not a field of " + what_ + "; its fields are " + known);
  }
}

}  // namespace emend::api::facts
