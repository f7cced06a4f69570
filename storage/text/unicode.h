// Texts as people see them: one form, white space of any script, characters that nobody sees. All
// texts are UTF-8. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace emend::storage::text {

// The composed form (NFC). REQUIRES: UTF-8.
std::string Nfc(std::string_view text);

// White space of any script, line ends included (White_Space of the Unicode standard).
bool IsBlank(char32_t character);
// Without white space at both ends.
std::string_view Trim(std::string_view text);

struct Invisible {
  std::size_t byte = 0;
  char32_t character = 0;
};
// The first character that takes no room when it is shown, so that two texts look alike and are
// not: zero width space, byte order mark, soft hyphen, directions, line separators, control
// characters other than newline and tab. Joiners are taken where scripts and emoji need them.
std::optional<Invisible> FirstInvisible(std::string_view text);
// "U+200B (zero width space)".
std::string NameOf(char32_t character);

// 0 of an empty text.
char32_t FirstCharacter(std::string_view text);
char32_t LastCharacter(std::string_view text);
std::string Utf8Of(char32_t character);

}  // namespace emend::storage::text
