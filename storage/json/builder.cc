#include "storage/json/builder.h"

#include <algorithm>
#include <array>

#include "storage/base/log.h"
#include "storage/base/utf8.h"

namespace emend::storage::json {
namespace {

constexpr std::array<std::string_view, 8> kNoJson = {"NaN",  "Infinity", "inf",   "nan",
                                                     "None", "True",     "False", "undefined"};

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The word around `byte`, such as NaN.
std::string_view WordAt(std::string_view text, std::size_t byte) {
  std::size_t begin = std::min(byte, text.size());
  while (begin > 0 && IsLetter(text[begin - 1])) --begin;
  std::size_t end = begin;
  while (end < text.size() && IsLetter(text[end])) ++end;
  return text.substr(begin, end - begin);
}

// What the library says, without its own name and with what it last read shortened.
std::string Plain(std::string_view what) {
  if (const std::size_t end = what.find("] ");
      what.starts_with("[json.exception") && end != std::string_view::npos)
    what.remove_prefix(end + 2);
  if (const std::size_t end = what.find(": "); what.starts_with("parse error"))
    what.remove_prefix(end == std::string_view::npos ? 0 : end + 2);
  constexpr std::string_view kLast = "last read: '";
  const std::size_t last = what.find(kLast);
  if (last == std::string_view::npos) return Shortened(what);
  const std::size_t begin = last + kLast.size();
  const std::size_t end = std::min(what.rfind('\''), what.size());
  if (end <= begin) return Shortened(what);
  return std::string(what.substr(0, begin)) + Shortened(what.substr(begin, end - begin)) +
         std::string(what.substr(end));
}

// As RFC 6901 writes it.
std::string Escaped(std::string_view name) {
  std::string escaped;
  for (const char c : name) {
    if (c == '~') {
      escaped += "~0";
    } else if (c == '/') {
      escaped += "~1";
    } else {
      escaped += c;
    }
  }
  return Shortened(escaped);
}

}  // namespace

bool Builder::Parse(std::string_view text) {
  text_ = text;
  if (const auto byte = FirstInvalidUtf8(text)) {
    fault_ = {*byte, "found a byte that is no UTF-8"};
    return false;
  }
  return nlohmann::json::sax_parse(text, this);
}

std::string Builder::At() const {
  std::string pointer;
  for (std::size_t i = take_ == nullptr ? 0 : 1; i < levels_.size(); ++i) {
    const Level& level = levels_[i];
    const bool is_list = std::holds_alternative<std::vector<Node>>(level.node.content);
    pointer += "/" + (is_list ? std::to_string(level.count) : Escaped(level.name));
  }
  return pointer.empty() ? "" : "at " + pointer + ": ";
}

bool Builder::parse_error(std::size_t byte, const std::string&,
                          const nlohmann::detail::exception& error) {
  const std::string_view word = WordAt(text_, byte == 0 ? 0 : byte - 1);
  const bool known = std::ranges::find(kNoJson, word) != kNoJson.end();
  fault_ = {byte == 0 ? 0 : byte - 1,
            At() + (known ? "found " + std::string(word) + ", which JSON has no word for"
                          : Plain(error.what()))};
  return false;
}

bool Builder::HandOver(Node node) {
  const std::size_t index = levels_.front().count++;
  if (!element_fault_) return take_(index, std::move(node));
  const Status fault(StatusCode::kInvalidArgument, "malformed_json", *element_fault_);
  element_fault_.reset();
  return take_(index, fault);
}

bool Builder::Put(Node node) {
  if (levels_.empty()) {
    root_ = std::move(node);
    return true;
  }
  if (take_ != nullptr && levels_.size() == 1) return HandOver(std::move(node));
  Level& level = levels_.back();
  ++level.count;
  if (element_fault_) return true;  // this element is lost: nothing of it is kept
  if (auto* const list = std::get_if<std::vector<Node>>(&level.node.content)) {
    list->push_back(std::move(node));
  } else {
    std::get<std::vector<Member>>(level.node.content)
        .push_back({std::move(level.name), std::move(node)});
  }
  return true;
}

bool Builder::Open(Node node) {
  if (take_ != nullptr && levels_.empty() &&
      node.content.index() != Node{std::vector<Node>{}}.content.index()) {
    fault_ = {std::nullopt, "expected a list, found an object"};
    return false;
  }
  if (levels_.size() >= static_cast<std::size_t>(depth_max_)) {
    fault_ = {std::nullopt, "it is nested deeper than " + std::to_string(depth_max_)};
    return false;
  }
  levels_.push_back({std::move(node), "", 0});
  return true;
}

bool Builder::key(string_t& name) {
  levels_.back().name = std::move(name);
  return true;
}

bool Builder::Sort(std::vector<Member>& members) {
  std::ranges::stable_sort(members, {}, &Member::name);
  const auto twice = std::ranges::adjacent_find(members, {}, &Member::name);
  if (twice == members.end()) return true;
  const std::string what =
      At() + "the key " + JsonQuote(Shortened(twice->name)) + " comes twice in one object";
  if (take_ == nullptr || levels_.empty()) {
    fault_ = {std::nullopt, what};
    return false;
  }
  if (!element_fault_) element_fault_ = what;
  return true;
}

bool Builder::Close() {
  Node node = std::move(levels_.back().node);
  levels_.pop_back();
  if (auto* const members = std::get_if<std::vector<Member>>(&node.content)) {
    if (!Sort(*members)) return false;
  }
  return Put(std::move(node));
}

}  // namespace emend::storage::json
