// Characters: decoding of checked UTF-8, the classes that tokenizer files speak of, and GPT-2's
// byte alphabet. Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace emend::worker::tokenizer {

struct CodePoint {
  char32_t value = 0;
  std::size_t size = 0;  // bytes
};

// The character at byte `at`. REQUIRES: `text` is UTF-8, `at` starts a character of it.
CodePoint CodePointAt(std::string_view text, std::size_t at);
// The character that ends before byte `end`. REQUIRES: as above, end > 0.
CodePoint CodePointBefore(std::string_view text, std::size_t end);
void AppendUtf8(char32_t value, std::string* text);

bool IsWhitespace(char32_t value);  // the property White_Space
// \w: letters, marks, digits, letter numbers, connector punctuation, letters in circles and
// squares, joiners
bool IsWordCharacter(char32_t value);
bool IsNumeric(char32_t value);      // general category N
bool IsMark(char32_t value);         // general category M
bool IsPunctuation(char32_t value);  // general category P, and ASCII's symbols

// The character that a byte-level vocabulary writes for each byte: itself where it is printable,
// else one from U+0100 on (Radford et al. 2019, "Language Models are Unsupervised Multitask
// Learners", bytes_to_unicode of the released code).
const std::array<char32_t, 256>& ByteAlphabet();
// The bytes that `text` writes in that alphabet; nothing if a character is not of the alphabet.
// REQUIRES: UTF-8.
std::optional<std::string> BytesFromAlphabet(std::string_view text);

}  // namespace emend::worker::tokenizer
