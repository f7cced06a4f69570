// A template's source as tokens, by Jinja's rules with trim_blocks and lstrip_blocks: a line end
// right after a block or comment goes, and so does the white space before one that begins a line;
// "-" takes all white space on its side, "+" keeps it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::worker::chat {

enum class TokenKind {
  kText,         // to be written as it is
  kOutputBegin,  // {{
  kOutputEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,  // its value, without quotes and escapes
  kInteger,
  kFloat,
  kSign,
  kEnd,
};

struct Token {
  TokenKind kind;
  std::string text;
  int line;

  bool Is(TokenKind other, std::string_view other_text) const {
    return kind == other && text == other_text;
  }
};

// kInvalidArgument "bad_chat_template" with the line. The last token is kEnd. REQUIRES: UTF-8.
Result<std::vector<Token>> Tokenize(std::string_view source);

// kInvalidArgument "bad_chat_template": "line 3: ...".
Status BadTemplate(int line, std::string_view message);

}  // namespace emend::worker::chat
