#include <algorithm>
#include <cctype>

#include "storage/history/repository.h"

namespace emend::storage::history {
namespace {

constexpr std::size_t kRepoNameMax = 64;
constexpr std::size_t kRefNameMax = 128;
constexpr std::size_t kHexRefusedMin = 40;  // what git takes for a commit's id

bool IsLowerOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

Status BadRefName(std::string_view name, std::string_view why) {
  return InvalidArgument("\"" + std::string(name.substr(0, kRefNameMax)) +
                         "\" cannot be the name of a branch or tag: it " + std::string(why));
}

// Of the parts between slashes.
std::string_view WrongComponent(std::string_view name) {
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty()) return "begins or ends with a slash, or has two in a row";
    if (part.starts_with('.')) return "has a part that begins with a dot";
    if (part.ends_with(".lock")) return "has a part that ends with \".lock\"";
    if (slash == std::string_view::npos) return {};
    name.remove_prefix(slash + 1);
  }
}

std::string_view WrongText(std::string_view name) {
  constexpr std::string_view kForbidden = " ~^:?*[\\";
  for (const char c : name) {
    if (c < 0x20 || c == 0x7f) return "has a control character, or one outside ASCII";
    if (kForbidden.find(c) != std::string_view::npos) return "has one of space ~ ^ : ? * [ \\";
  }
  if (name.find("..") != std::string_view::npos) return "has two dots in a row";
  if (name.find("@{") != std::string_view::npos) return "has \"@{\"";
  if (name == "@" || name == "HEAD") return "means something else in git";
  if (name.starts_with('-')) return "begins with a dash";
  if (name.ends_with('.')) return "ends with a dot";
  if (name.starts_with("refs/")) return "begins with \"refs/\", which full names do";
  return {};
}

}  // namespace

Status CheckRepoName(std::string_view name) {
  const auto is_allowed = [](char c) {
    return IsLowerOrDigit(c) || c == '.' || c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= kRepoNameMax && IsLowerOrDigit(name.front()) &&
      std::all_of(name.begin(), name.end(), is_allowed))
    return OkStatus();
  return InvalidArgument("\"" + std::string(name.substr(0, kRepoNameMax)) +
                         "\" cannot be the name of a repo: expected 1 to 64 of a-z 0-9 . _ - "
                         "beginning with a letter or digit");
}

Status CheckRefName(std::string_view name) {
  if (name.empty()) return BadRefName(name, "is empty");
  if (name.size() > kRefNameMax)
    return BadRefName(name,
                      "has " + std::to_string(name.size()) + " characters, at most 128 are taken");
  if (const std::string_view why = WrongText(name); !why.empty()) return BadRefName(name, why);
  if (const std::string_view why = WrongComponent(name); !why.empty()) return BadRefName(name, why);
  const bool is_hex =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
  if (is_hex && name.size() >= kHexRefusedMin)
    return BadRefName(name, "looks like the id of a commit");
  return OkStatus();
}

}  // namespace emend::storage::history
