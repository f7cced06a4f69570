#include "storage/text/join.h"

#include <algorithm>
#include <array>
#include <utility>

#include "storage/text/unicode.h"

namespace emend::storage::text {
namespace {

using Script = std::pair<char32_t, char32_t>;

// Scripts that write no spaces between words, with their punctuation and full-width forms.
constexpr std::array<Script, 17> kWithoutSpaces = {{{0x0e00, 0x0fff},      // Thai, Lao, Tibetan
                                                    {0x1000, 0x109f},      // Burmese
                                                    {0x1780, 0x17ff},      // Khmer
                                                    {0x1950, 0x19ff},      // Tai Le, New Tai Lue
                                                    {0x1a20, 0x1aaf},      // Tai Tham
                                                    {0x1b00, 0x1b7f},      // Balinese
                                                    {0x2e80, 0x2fff},      // radicals
                                                    {0x3000, 0x312f},      // kana, bopomofo
                                                    {0x3190, 0x4dbf},      // kana, ideographs
                                                    {0x4e00, 0x9fff},      // ideographs
                                                    {0xa000, 0xa4cf},      // Yi
                                                    {0xa980, 0xa9df},      // Javanese
                                                    {0xaa60, 0xaadf},      // Burmese, Tai Viet
                                                    {0xf900, 0xfaff},      // ideographs
                                                    {0xfe30, 0xfe4f},      // vertical forms
                                                    {0xff01, 0xff9f},      // full-width forms
                                                    {0x1aff0, 0x3ffff}}};  // kana, ideographs

constexpr std::u32string_view kOpening = U"([{<\u00a1\u00ab\u00bf\u2018\u201a\u201c\u201e\u2039";
constexpr std::u32string_view kHyphens = U"-\u2010\u2011";

bool HasNoSpaces(char32_t character) {
  return std::ranges::any_of(kWithoutSpaces, [character](const Script& range) {
    return character >= range.first && character <= range.second;
  });
}

bool IsOneOf(std::u32string_view set, char32_t character) {
  return set.find(character) != std::u32string_view::npos;
}

bool FollowsDirectly(std::string_view prompt) {
  const char32_t last = LastCharacter(prompt);
  if (last == 0 || IsBlank(last) || IsOneOf(kOpening, last) || HasNoSpaces(last)) return true;
  prompt.remove_suffix(Utf8Of(last).size());
  const char32_t before = LastCharacter(prompt);
  const bool after_blank = before == 0 || IsBlank(before);
  // A hyphen after a blank is a dash; the same quote opens after a blank and closes after a word.
  if (IsOneOf(kHyphens, last)) return !after_blank;
  const bool is_quote = last == U'"' || last == U'\'';
  return is_quote && (after_blank || IsOneOf(kOpening, before));
}

}  // namespace

std::string_view Between(std::string_view prompt, std::string_view target, Join join) {
  if (join == Join::kNone) return "";
  if (join == Join::kSpace) return " ";
  return IsBlank(FirstCharacter(target)) || FollowsDirectly(prompt) ? "" : " ";
}

std::string AnswerText(std::string_view prompt, std::string_view target, Join join) {
  return std::string(Between(prompt, target, join)).append(target);
}

}  // namespace emend::storage::text
