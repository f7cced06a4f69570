// What stands between a prompt and the answer after it.
//
//   prompt + Between(prompt, target, fact.join) + target
//
// One space, unless the prompt says that the answer follows directly: it ends in white space, an
// opening bracket or quote, a hyphen, or a character of a script that writes no spaces between
// words (Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan). A target that begins with white
// space brings its own. A fact may say it itself. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace emend::storage::text {

// Stored and sent: never renumber.
enum class Join : std::uint8_t {
  kByText = 1,  // as the texts say
  kNone = 2,    // the answer follows directly
  kSpace = 3,
};
constexpr Join LastOf(Join) { return Join::kSpace; }

// " " or nothing.
std::string_view Between(std::string_view prompt, std::string_view target, Join join);
// The target as it stands after the prompt.
std::string AnswerText(std::string_view prompt, std::string_view target, Join join);

}  // namespace emend::storage::text
