#include "storage/json/reader.h"

#include "storage/base/utf8.h"
#include "storage/json/document_impl.h"

namespace emend::storage::json {
namespace {

constexpr std::size_t kLinesMax = 1'000'000;

std::string Join(const std::set<std::string, std::less<>>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list.empty() ? "none" : list;
}

std::string Digits(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string Place(std::string_view name, std::size_t index) {
  return std::string(name) + "/" + std::to_string(index);
}

std::string TooMany(std::size_t found, std::size_t count_max) {
  return "found " + std::to_string(found) + " items, at most " + std::to_string(count_max) +
         " are allowed";
}

}  // namespace

std::string TextFaultOf(std::string_view text) {
  if (text.size() > kTextBytesMax)
    return "found " + std::to_string(text.size()) + " bytes, at most " +
           std::to_string(kTextBytesMax) + " are allowed";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f)
      return "found a control character, only newline and tab are allowed";
  }
  return "";
}

Value Reader::Find(std::string_view name) {
  asked_.emplace(name);
  return object_.Find(name);
}

void Reader::Fail(std::string_view name, const std::string& what) {
  if (document_->problems.size() < kProblemsKeptMax)
    document_->problems.push_back({pointer_ + "/" + Shortened(name), what});
}

void Reader::Expected(std::string_view name, std::string_view what) {
  Fail(name, "expected " + std::string(what) + ", found " + Find(name).Found());
}

bool Reader::ReadText(const std::string& place, Value value, std::string& out) {
  const std::string fault = value.is(Kind::kText) ? TextFaultOf(value.text())
                                                  : "expected a string, found " + value.Found();
  if (!fault.empty()) {
    Fail(place, fault);
    return false;
  }
  out = value.text();
  return true;
}

bool Reader::ReadTexts(const std::string& place, Value list, std::size_t count_max,
                       std::vector<std::string>& out) {
  if (!list.is(Kind::kList) || list.size() > count_max) {
    Fail(place, list.is(Kind::kList) ? TooMany(list.size(), count_max)
                                     : "expected a list of strings, found " + list.Found());
    return false;
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    std::string text;
    if (!ReadText(Place(place, i), list[i], text)) return false;
    out.push_back(std::move(text));
  }
  return true;
}

bool Reader::Text(std::string_view name, std::string& out) {
  const Value value = Find(name);
  return !value.is(Kind::kAbsent) && ReadText(std::string(name), value, out);
}

bool Reader::Filled(std::string_view name, std::string& out) {
  std::string text;
  if (!Text(name, text)) return false;
  if (text.empty()) {
    Expected(name, "a string that is not empty");
    return false;
  }
  out = std::move(text);
  return true;
}

bool Reader::Require(std::string_view name, std::string& out) {
  if (!Find(name).is(Kind::kAbsent)) return Filled(name, out);
  Fail(name, "this field is missing");
  return false;
}

bool Reader::Unsigned(std::string_view name, std::uint64_t& out) {
  const Value value = Find(name);
  if (value.is(Kind::kAbsent)) return false;
  const auto whole = value.Unsigned();
  if (whole) out = *whole;
  if (!whole) Expected(name, "a whole number from 0 on");
  return whole.has_value();
}

bool Reader::Whole(std::string_view name, std::int64_t& out, std::int64_t min, std::int64_t max) {
  const Value value = Find(name);
  if (value.is(Kind::kAbsent)) return false;
  const auto whole = value.Whole();
  const bool fits = whole && *whole >= min && *whole <= max;
  if (fits) out = *whole;
  if (!fits)
    Expected(name, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return fits;
}

bool Reader::Number(std::string_view name, double& out, double min, double max) {
  const Value value = Find(name);
  if (value.is(Kind::kAbsent)) return false;
  const bool fits = value.is(Kind::kNumber) && value.number() >= min && value.number() <= max;
  if (fits) out = value.number();
  if (!fits) Expected(name, "a number from " + Digits(min) + " to " + Digits(max));
  return fits;
}

bool Reader::Flag(std::string_view name, bool& out) {
  const Value value = Find(name);
  if (value.is(Kind::kAbsent)) return false;
  if (value.is(Kind::kFlag)) out = value.flag();
  if (!value.is(Kind::kFlag)) Expected(name, "true or false");
  return value.is(Kind::kFlag);
}

bool Reader::Texts(std::string_view name, std::vector<std::string>& out) {
  const Value value = Find(name);
  return !value.is(Kind::kAbsent) && ReadTexts(std::string(name), value, kListMax, out);
}

bool Reader::BulkTexts(std::string_view name, std::vector<std::string>& out) {
  const Value value = Find(name);
  return !value.is(Kind::kAbsent) && ReadTexts(std::string(name), value, kLinesMax, out);
}

bool Reader::Indices(std::string_view name, std::vector<std::int32_t>& out) {
  const Value value = Find(name);
  if (value.is(Kind::kAbsent)) return false;
  const bool is_list = value.is(Kind::kList) && value.size() <= kListMax;
  if (!is_list) Expected(name, "a list of indices");
  for (std::size_t i = 0; is_list && i < value.size(); ++i) {
    const auto index = value[i].Unsigned();
    if (!index || *index > kListMax) {
      Fail(Place(name, i), "expected an index from 0 to " + std::to_string(kListMax) + ", found " +
                               value[i].Found());
      return false;
    }
    out.push_back(static_cast<std::int32_t>(*index));
  }
  return is_list;
}

bool Reader::TextMap(std::string_view name, std::vector<std::pair<std::string, std::string>>& out) {
  const Value value = Find(name);
  if (value.is(Kind::kAbsent)) return false;
  if (!value.is(Kind::kObject)) Expected(name, "an object of strings and numbers");
  if (!value.is(Kind::kObject)) return false;
  for (const auto& [member_name, member] : value.Members()) {
    const std::string place = std::string(name) + "/" + Shortened(member_name);
    std::string text;
    if (member.is(Kind::kNumber)) {
      const auto whole = member.Whole();
      text = whole ? std::to_string(*whole) : member.digits();
    } else if (!member.is(Kind::kText)) {
      Fail(place, "expected a string or a number, found " + member.Found());
      return false;
    } else if (!ReadText(place, member, text)) {
      return false;
    }
    out.emplace_back(member_name, std::move(text));
  }
  return true;
}

bool Reader::TextGroups(std::string_view name, std::vector<std::vector<std::string>>& out) {
  const Value value = Find(name);
  if (value.is(Kind::kAbsent)) return false;
  if (!value.is(Kind::kList)) Expected(name, "a list of lists of strings");
  if (!value.is(Kind::kList)) return false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    std::vector<std::string> group;
    if (!ReadTexts(Place(name, i), value[i], kListMax, group)) return false;
    out.push_back(std::move(group));
  }
  return true;
}

bool Reader::List(std::string_view name, std::size_t count_max,
                  const std::function<void(Reader)>& read) {
  const Value value = Find(name);
  if (value.is(Kind::kAbsent)) return false;
  if (!value.is(Kind::kList) || value.size() > count_max) {
    Fail(name, value.is(Kind::kList) ? TooMany(value.size(), count_max) + " in one request"
                                     : "expected a list, found " + value.Found());
    return false;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string place = Place(name, i);
    if (!value[i].is(Kind::kObject)) {
      Fail(place, "expected an object, found " + value[i].Found());
      return false;
    }
    read(Reader(*document_, value[i], pointer_ + "/" + place));
  }
  return true;
}

void Reader::RefuseUnknown() {
  for (const auto& member : object_.Members()) {
    if (!asked_.contains(member.name))
      return Fail(member.name, "this field is unknown here; known are " + Join(asked_));
  }
}

}  // namespace emend::storage::json
