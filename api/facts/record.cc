#include "api/facts/record.h"

namespace emend::api::facts {
namespace {

constexpr int kListDepthMax = 3;

const Json* Find(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const Json& NoObject() {
  static const Json none = Json::object();
  return none;
}

}  // namespace

void Record::Expected(const std::string& path, std::string_view what, const Json* found) const {
  const std::string kind = found == nullptr ? "nothing" : found->type_name();
  problems_.Add(row_, path, "expected " + std::string(what) + ", found " + kind);
}

bool Record::Has(const char* name) const { return Find(object_, name) != nullptr; }

Field Record::Text(const char* name) const {
  const Json* const value = Find(object_, name);
  if (value != nullptr && value->is_string()) return {PathOf(name), value->get<std::string>()};
  Expected(PathOf(name), "a string", value);
  return {PathOf(name), {}};
}

std::optional<Field> Record::OptionalText(const char* name) const {
  const Json* const value = Find(object_, name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return Field{PathOf(name), value->get<std::string>()};
  if (value->is_number()) return Field{PathOf(name), value->dump()};
  Expected(PathOf(name), "a string", value);
  return std::nullopt;
}

void Record::AppendTexts(const Json& value, const std::string& path, int depth,
                         std::vector<Field>* texts) const {
  if (value.is_string()) {
    texts->push_back({path, value.get<std::string>()});
  } else if (value.is_array() && depth < kListDepthMax) {
    for (std::size_t i = 0; i < value.size(); ++i)
      AppendTexts(value[i], path + "[" + std::to_string(i) + "]", depth + 1, texts);
  } else {
    Expected(path, "a string or a list of strings", &value);
  }
}

std::vector<Field> Record::Texts(const char* name) const {
  std::vector<Field> texts;
  const Json* const value = Find(object_, name);
  if (value != nullptr) AppendTexts(*value, PathOf(name), 0, &texts);
  return texts;
}

Record Record::Object(const char* name) const {
  const Json* const value = Find(object_, name);
  if (value != nullptr && value->is_object()) return {*value, PathOf(name), row_, &problems_};
  Expected(PathOf(name), "an object", value);
  return {NoObject(), PathOf(name), row_, &problems_};
}

std::vector<Record> Record::GroupedObjects(const char* name) const {
  std::vector<Record> objects;
  const Json* const groups = Find(object_, name);
  if (groups == nullptr) return objects;
  if (!groups->is_object()) Expected(PathOf(name), "an object of lists", groups);
  if (!groups->is_object()) return objects;
  for (const auto& [group, items] : groups->items()) {
    const std::string path = PathOf(name) + "." + group;
    if (!items.is_array()) Expected(path, "a list of objects", &items);
    for (std::size_t i = 0; items.is_array() && i < items.size(); ++i)
      objects.emplace_back(items[i], path + "[" + std::to_string(i) + "]", row_, &problems_);
  }
  return objects;
}

}  // namespace emend::api::facts
