#include "api/rest/target.h"

#include "storage/base/utf8.h"

namespace emend::api::rest {
namespace {

Status Malformed(const std::string& what) {
  return {StatusCode::kInvalidArgument, "malformed_request",
          "reading the request's target: " + what};
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool HasControl(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  }
  return false;
}

Result<std::string> Decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return Malformed("found a percent sign that two hex digits do not follow");
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (HasControl(decoded)) return Malformed("found a control character");
  if (FirstInvalidUtf8(decoded)) return Malformed("found bytes that are no UTF-8 once decoded");
  return decoded;
}

Status ParsePath(std::string_view path, Target& target) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = path.find('/');
    EMEND_ASSIGN_OR_RETURN(std::string segment, Decode(path.substr(0, end)));
    if (segment == "." || segment == "..")
      return Malformed("found the segment \"" + segment + "\", which names no resource");
    target.segments.push_back(std::move(segment));
    path = end == std::string_view::npos ? std::string_view() : path.substr(end);
  }
  return OkStatus();
}

Status ParseQuery(std::string_view query, Target& target) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t equals = pair.find('=');
    EMEND_ASSIGN_OR_RETURN(const std::string name, Decode(pair.substr(0, equals)));
    EMEND_ASSIGN_OR_RETURN(
        std::string value,
        Decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1)));
    if (!target.query.emplace(name, std::move(value)).second)
      return Malformed("the parameter \"" + name + "\" comes twice");
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
  }
  return OkStatus();
}

}  // namespace

Result<Target> ParseTarget(std::string_view text) {
  if (text.empty() || text.front() != '/')
    return Malformed("expected a path that begins with \"/\"");
  if (text.find('#') != std::string_view::npos)
    return Malformed("found \"#\", a fragment is not sent to servers");
  Target target;
  const std::size_t question = text.find('?');
  target.path = text.substr(0, question);
  EMEND_RETURN_IF_ERROR(ParsePath(target.path, target));
  if (question != std::string_view::npos)
    EMEND_RETURN_IF_ERROR(ParseQuery(text.substr(question + 1), target));
  return target;
}

}  // namespace emend::api::rest
