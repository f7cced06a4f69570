#include "worker/chat/lexer.h"

#include <algorithm>
#include <charconv>

#include "storage/base/utf8.h"
#include "worker/chat/text.h"

namespace emend::worker::chat {
namespace {

bool IsDigit(char byte) { return byte >= '0' && byte <= '9'; }
bool IsNameByte(char byte) {
  return IsDigit(byte) || byte == '_' || (byte >= 'a' && byte <= 'z') ||
         (byte >= 'A' && byte <= 'Z');
}

// Line ends as "\n", without the last one.
std::string Normalized(std::string_view source) {
  std::string lines;
  for (std::size_t at = 0; at < source.size(); ++at) {
    if (source[at] == '\r' && at + 1 < source.size() && source[at + 1] == '\n') continue;
    lines += source[at] == '\r' ? '\n' : source[at];
  }
  if (lines.ends_with('\n')) lines.pop_back();
  return lines;
}

void AppendCodePoint(unsigned code, std::string* text) {
  if (code < 0x80) {
    *text += static_cast<char>(code);
    return;
  }
  const int extra = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
  *text += static_cast<char>(kLead[extra] | code >> (6 * extra));
  for (int i = extra - 1; i >= 0; --i) *text += static_cast<char>(0x80 | (code >> (6 * i) & 0x3F));
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : lines_(Normalized(source)), rest_(lines_) {}

  Result<std::vector<Token>> Run() {
    while (!rest_.empty()) EMEND_RETURN_IF_ERROR(ReadText());
    Add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  void Add(TokenKind kind, std::string_view text) {
    tokens_.push_back({kind, std::string(text), line_});
  }

  void Skip(std::size_t bytes) {
    line_ += static_cast<int>(std::ranges::count(rest_.substr(0, bytes), '\n'));
    rest_.remove_prefix(bytes);
  }

  void SkipSpace() {
    const std::string_view after = Strip(rest_, Side::kLeft);
    Skip(rest_.size() - after.size());
  }

  // Up to the next "{{", "{%" or "{#", and then that.
  Status ReadText() {
    std::size_t begin = rest_.find('{');
    while (begin != std::string_view::npos &&
           (begin + 1 == rest_.size() ||
            std::string_view("{%#").find(rest_[begin + 1]) == std::string_view::npos))
      begin = rest_.find('{', begin + 1);
    std::string_view text = rest_.substr(0, begin);
    if (begin == std::string_view::npos) {
      Add(TokenKind::kText, text);
      Skip(rest_.size());
      return OkStatus();
    }
    const char opening = rest_[begin + 1];
    const char sign = begin + 2 < rest_.size() ? rest_[begin + 2] : ' ';
    text = WithoutSpaceBefore(text, opening, sign);
    if (!text.empty()) Add(TokenKind::kText, text);
    const bool has_sign = sign == '-' || sign == '+';
    Skip(begin + 2 + (has_sign ? 1 : 0));
    if (opening == '#') return SkipComment();
    const bool is_block = opening == '%';
    Add(is_block ? TokenKind::kBlockBegin : TokenKind::kOutputBegin, is_block ? "{%" : "{{");
    return ReadInside(is_block);
  }

  std::string_view WithoutSpaceBefore(std::string_view text, char opening, char sign) const {
    if (sign == '-') return Strip(text, Side::kRight);
    if (sign == '+' || opening == '{') return text;
    const std::size_t newline = text.rfind('\n');
    if (newline == std::string_view::npos && !begins_line_) return text;
    const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    return Strip(text.substr(line), Side::kLeft).empty() ? text.substr(0, line) : text;
  }

  // Past the end of a block, an output or a comment, and the white space that goes with it: `sign`
  // is what stands before `end`.
  void SkipEnd(std::size_t size, char sign, bool trims_newline) {
    Skip(size);
    begins_line_ = false;
    if (sign == '-') {
      const std::size_t before = rest_.size();
      const std::string_view after = Strip(rest_, Side::kLeft);
      begins_line_ = before != after.size() && rest_[before - after.size() - 1] == '\n';
      Skip(before - after.size());
    } else if (trims_newline && sign != '+' && rest_.starts_with('\n')) {
      Skip(1);
      begins_line_ = true;
    }
  }

  Status SkipComment() {
    const std::size_t end = rest_.find("#}");
    if (end == std::string_view::npos) return BadTemplate(line_, "a comment has no end \"#}\"");
    SkipEnd(end + 2, end > 0 ? rest_[end - 1] : ' ', /*trims_newline=*/true);
    return OkStatus();
  }

  // The tokens of a block or an output, and its end.
  Status ReadInside(bool is_block) {
    const std::string_view end = is_block ? "%}" : "}}";
    const int begin_line = line_;
    std::string open;  // brackets
    while (!rest_.empty()) {
      const bool has_sign =
          (rest_[0] == '-' || (is_block && rest_[0] == '+')) && rest_.substr(1).starts_with(end);
      if (open.empty() && (has_sign || rest_.starts_with(end))) {
        Add(is_block ? TokenKind::kBlockEnd : TokenKind::kOutputEnd, end);
        SkipEnd(has_sign ? 3 : 2, has_sign ? rest_[0] : ' ', is_block);
        return OkStatus();
      }
      EMEND_RETURN_IF_ERROR(ReadToken(&open));
    }
    return BadTemplate(begin_line, "what begins here has no end \"" + std::string(end) + "\"");
  }

  Status ReadToken(std::string* open) {
    if (IsSpace(rest_.substr(0, std::max<std::size_t>(1, Utf8Length(rest_))))) {
      SkipSpace();
      return OkStatus();
    }
    const char first = rest_[0];
    if (first == '"' || first == '\'') return ReadString();
    if (IsDigit(first)) return ReadNumber();
    if (IsNameByte(first)) {
      const auto* const end = std::ranges::find_if_not(rest_, IsNameByte);
      const auto size = static_cast<std::size_t>(end - rest_.begin());
      Add(TokenKind::kName, rest_.substr(0, size));
      Skip(size);
      return OkStatus();
    }
    return ReadSign(open);
  }

  Status ReadSign(std::string* open) {
    static constexpr std::string_view kSigns[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                                  "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                  ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    const auto* const found = std::ranges::find_if(
        kSigns, [&](std::string_view sign) { return rest_.starts_with(sign); });
    if (found == std::end(kSigns))
      return BadTemplate(line_, "\"" + Shortened(rest_, 10) + "\" begins no token");
    const std::string_view sign = *found;
    if (sign == "[" || sign == "(" || sign == "{") {
      *open += sign == "[" ? ']' : sign == "(" ? ')' : '}';
    } else if (sign == "]" || sign == ")" || sign == "}") {
      if (open->empty() || open->back() != sign[0])
        return BadTemplate(line_, "\"" + std::string(sign) + "\" closes nothing");
      open->pop_back();
    }
    Add(TokenKind::kSign, sign);
    Skip(sign.size());
    return OkStatus();
  }

  Status ReadNumber() {
    std::string digits;
    std::size_t at = 0;
    const auto read_digits = [&] {
      while (at < rest_.size() &&
             (IsDigit(rest_[at]) || (rest_[at] == '_' && at + 1 < rest_.size() &&
                                     IsDigit(rest_[at + 1]) && at > 0 && IsDigit(rest_[at - 1])))) {
        if (rest_[at] != '_') digits += rest_[at];
        ++at;
      }
    };
    read_digits();
    bool is_float = false;
    if (at + 1 < rest_.size() && rest_[at] == '.' && IsDigit(rest_[at + 1])) {
      is_float = true;
      digits += rest_[at++];
      read_digits();
    }
    if (at < rest_.size() && (rest_[at] == 'e' || rest_[at] == 'E')) {
      const std::size_t sign =
          at + 1 < rest_.size() && (rest_[at + 1] == '-' || rest_[at + 1] == '+');
      if (at + 1 + sign < rest_.size() && IsDigit(rest_[at + 1 + sign])) {
        is_float = true;
        digits += rest_.substr(at, 1 + sign);
        at += 1 + sign;
        read_digits();
      }
    }
    if (at < rest_.size() && IsNameByte(rest_[at]))
      return BadTemplate(line_, "\"" + std::string(rest_.substr(0, at + 1)) + "\" is no number");
    Add(is_float ? TokenKind::kFloat : TokenKind::kInteger, digits);
    Skip(at);
    return OkStatus();
  }

  Status ReadString() {
    const char quote = rest_[0];
    std::string value;
    std::size_t at = 1;
    while (at < rest_.size() && rest_[at] != quote) {
      if (rest_[at] == '\\' && at + 1 < rest_.size()) {
        EMEND_RETURN_IF_ERROR(ReadEscape(&at, &value));
      } else {
        value += rest_[at++];
      }
    }
    if (at >= rest_.size()) return BadTemplate(line_, "a text in quotes has no end");
    Add(TokenKind::kString, value);
    Skip(at + 1);
    return OkStatus();
  }

  // Python's escapes; another character after a backslash stays, with the backslash.
  Status ReadEscape(std::size_t* at, std::string* value) {
    static constexpr std::string_view kLetters = "abfnrtv\\'\"\n", kMeant = "\a\b\f\n\r\t\v\\'\"";
    static constexpr std::string_view kCodes = "xuU";
    const char letter = rest_[*at + 1];
    const std::size_t simple = kLetters.find(letter), code = kCodes.find(letter);
    if (letter == 'N' || (letter >= '0' && letter <= '7') ||
        static_cast<unsigned char>(letter) >= 0x80)
      return BadTemplate(line_,
                         "the escape \"" + Shortened(rest_.substr(*at), 5) +
                             "\" is not supported; write the character, or \\u and its number");
    if (code != std::string_view::npos) {
      const std::size_t size = std::size_t{2} << code;
      const std::string_view digits = rest_.substr(std::min(*at + 2, rest_.size()), size);
      unsigned number = 0;
      const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
      const bool is_whole = parsed.ec == std::errc() && digits.size() == size &&
                            parsed.ptr == digits.data() + digits.size();
      if (!is_whole || number > 0x10FFFF || (number >= 0xD800 && number < 0xE000))
        return BadTemplate(line_, "\"\\" + Shortened(rest_.substr(*at + 1), size + 1) +
                                      "\" stands for no character");
      AppendCodePoint(number, value);
      *at += 2 + size;
      return OkStatus();
    }
    if (simple < kMeant.size()) *value += kMeant[simple];
    if (simple == std::string_view::npos) *value += {'\\', letter};
    *at += 2;
    return OkStatus();
  }

  const std::string lines_;
  std::string_view rest_;  // of lines_
  std::vector<Token> tokens_;
  int line_ = 1;
  bool begins_line_ = true;  // whether rest_ begins a line
};

}  // namespace

Status BadTemplate(int line, std::string_view message) {
  return {StatusCode::kInvalidArgument, "bad_chat_template",
          "line " + std::to_string(line) + ": " + std::string(message)};
}

Result<std::vector<Token>> Tokenize(std::string_view source) { return Lexer(source).Run(); }

}  // namespace emend::worker::chat
