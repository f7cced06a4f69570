// Parameters of routes, in the path, the query or the header: declared once with type and bounds,
// read by them, and described by them.
//
//   inline constexpr Parameter kLimit{
//       "limit", In::kQuery, WholeNumber{.min = 1, .max = 1000, .fallback = 100}};
//   ...
//   const std::int64_t limit = request.Whole("limit");
//
// Those that several resources share stand at the end. Immutable; thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/base/status.h"

namespace emend::api::rest {

enum class In { kPath, kQuery, kHeader };

struct WholeNumber {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::optional<std::int64_t> fallback = std::nullopt;
};
// `pattern` fits the whole text and is one of ECMAScript's; `expected` says it in words.
struct Text {
  std::size_t characters_max = 256;
  std::string_view pattern;
  std::string_view expected;
};
// One of these; the first where `is_optional` and it is absent.
struct Choice {
  std::span<const std::string_view> values;
  std::string_view fallback;
};

struct Parameter {
  std::string_view name;
  In in = In::kQuery;
  std::variant<WholeNumber, Text, Choice> type;
  std::string_view description = {};
  bool is_required = false;  // those in the path always are
};

using Values = std::map<std::string, std::string>;

// Every parameter's text by its name, with its fallback where it is absent and has one. `header`
// has names in lower case; fields that are no parameter are passed over, parameters of the query
// that are none are refused ("unknown_parameter"). kInvalidArgument: "bad_parameter", or
// "malformed_request" for a field of the header.
Result<Values> ReadParameters(std::string_view operation_id, std::span<const Parameter> parameters,
                              const Values& place, const Values& query, const Values& header);

// In digits, or as JSON may have it: "4.0".
std::optional<std::int64_t> ParseWhole(std::string_view text);

inline constexpr std::string_view kPriorities[] = {"interactive", "normal", "batch"};
inline constexpr std::string_view kRevisionPattern =
    R"(^(?!\.{1,2}$)((?!@\{)[^\x00-\x1f\x7f~^])+(@\{[0-9]{1,18}\})?([~^][0-9]{0,18})*$)";

inline constexpr Parameter kRepo{
    "repo", In::kPath,
    Text{64, "^[a-z0-9][a-z0-9._-]{0,63}$",
         "1 to 64 of a-z 0-9 . _ -, of which the first is a letter or digit"}};
inline constexpr Text kRevisionText{256, kRevisionPattern,
                                    "a revision, such as main, v1, main~2, main@{1} or 3f2a91c0"};
inline constexpr Parameter kRevision{"revision", In::kQuery, kRevisionText, "main if absent"};
inline constexpr Text kRefName{
    128,
    R"(^(?!.*(\.\.|@\{|//|/\.|\.lock(/|$)|[./]$))(?!([./-]|@$|HEAD$|refs/))(?![0-9A-Fa-f]{40,}$))"
    R"([!-)+-9;->@-Z\]_-}]+$)",
    "a name that git, too, would take for a branch or tag, in ASCII"};
inline constexpr std::string_view kNextDescription = "The next of an earlier page";
inline constexpr Parameter kLimit{"limit", In::kQuery, WholeNumber{1, 1000, 100},
                                  "Items of one page"};

}  // namespace emend::api::rest
