#include "worker/chat/show.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "storage/base/utf8.h"
#include "worker/chat/chat_template.h"

namespace emend::worker::chat {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

// Values may share elements, so that the text of a small one can be huge.
Status CheckSize(const std::string& shown) {
  if (shown.size() <= kTextBytesMax) return OkStatus();
  return ResourceExhausted("the text of a value has more than " + std::to_string(kTextBytesMax) +
                           " bytes");
}

std::string NumberText(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer;
  const double size = std::fabs(number);
  const bool has_exponent = size != 0 && (size < 1e-4 || size >= 1e16);
  const auto form = has_exponent ? std::chars_format::scientific : std::chars_format::fixed;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, form).ptr;
  const std::string text(buffer.data(), end);
  return has_exponent || text.find('.') != std::string::npos ? text : text + ".0";
}

// A text inside a list or mapping: quoted, with escapes.
Status AppendQuoted(const std::string& text, std::string* shown) {
  const bool has_single = text.find('\'') != std::string::npos;
  const char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  *shown += quote;
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (code >= 0x80) return NotSupported("showing a text beyond ASCII inside a list or mapping");
    if (byte == quote || byte == '\\') {
      *shown += {'\\', byte};
    } else if (byte == '\n' || byte == '\r' || byte == '\t') {
      *shown += {'\\', byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't'};
    } else if (code < 0x20 || code == 0x7f) {
      *shown += {'\\', 'x', kHexDigits[code >> 4], kHexDigits[code & 15]};
    } else {
      *shown += byte;
    }
  }
  *shown += quote;
  return CheckSize(*shown);
}

Status Append(const Value& value, bool is_inner, std::string* shown);  // NOLINT

Status AppendSequence(const Sequence& sequence, std::string* shown) {
  const bool is_tuple = sequence.kind == SequenceKind::kTuple;
  if (!is_tuple && sequence.kind != SequenceKind::kList) return NotSupported("showing a generator");
  *shown += is_tuple ? '(' : '[';
  for (const Value& item : sequence.items) {
    if (&item != &sequence.items.front()) *shown += ", ";
    EMEND_RETURN_IF_ERROR(Append(item, /*is_inner=*/true, shown));
  }
  if (is_tuple && sequence.items.size() == 1) *shown += ',';
  *shown += is_tuple ? ')' : ']';
  return CheckSize(*shown);
}

Status AppendDict(const Dict& dict, std::string* shown) {
  *shown += '{';
  for (const Entry& entry : dict.entries) {
    if (&entry != &dict.entries.front()) *shown += ", ";
    EMEND_RETURN_IF_ERROR(Append(entry.first, /*is_inner=*/true, shown));
    *shown += ": ";
    EMEND_RETURN_IF_ERROR(Append(entry.second, /*is_inner=*/true, shown));
  }
  *shown += '}';
  return CheckSize(*shown);
}

Status Append(const Value& value, bool is_inner, std::string* shown) {
  if (value.text() != nullptr) {
    if (is_inner) return AppendQuoted(*value.text(), shown);
    *shown += *value.text();
  } else if (value.sequence() != nullptr) {
    return AppendSequence(*value.sequence(), shown);
  } else if (value.dict() != nullptr) {
    return AppendDict(*value.dict(), shown);
  } else if (value.IsUndefined()) {
    *shown += is_inner ? "Undefined" : "";
  } else if (value.IsNone()) {
    *shown += "None";
  } else if (const bool* const flag = value.As<bool>()) {
    *shown += *flag ? "True" : "False";
  } else if (const auto integer = value.Integer()) {
    *shown += std::to_string(*integer);
  } else if (const auto number = value.Number()) {
    *shown += NumberText(*number);
  } else {
    return NotSupported("showing " + std::string(value.KindName()));
  }
  return OkStatus();
}

class JsonWriter {
 public:
  explicit JsonWriter(const JsonStyle& style) : style_(style) {}

  Status Add(const Value& value, int level) {
    EMEND_RETURN_IF_ERROR(CheckSize(json_));
    if (value.text() != nullptr) return AddText(*value.text());
    if (value.dict() != nullptr) return AddDict(*value.dict(), level);
    const Sequence* const sequence = value.sequence();
    const bool is_list = sequence != nullptr && (sequence->kind == SequenceKind::kList ||
                                                 sequence->kind == SequenceKind::kTuple);
    if (is_list) return AddList(*sequence, level);
    return AddPlain(value);
  }

  std::string Take() { return std::move(json_); }

 private:
  Status AddPlain(const Value& value) {
    if (value.IsNone()) {
      json_ += "null";
    } else if (const bool* const flag = value.As<bool>()) {
      json_ += *flag ? "true" : "false";
    } else if (const auto integer = value.Integer()) {
      json_ += std::to_string(*integer);
    } else if (const auto number = value.Number()) {
      json_ += std::isnan(*number)   ? "NaN"
               : std::isinf(*number) ? (*number < 0 ? "-Infinity" : "Infinity")
                                     : NumberText(*number);
    } else {
      return Failed("writing " + std::string(value.KindName()) + " as JSON");
    }
    return OkStatus();
  }

  void AddUnit(unsigned code) {
    json_ += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) json_ += kHexDigits[(code >> shift) & 15];
  }

  // As one escape, or two of a surrogate pair.
  void AddEscaped(std::string_view character) {
    static constexpr unsigned kLeadMask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned code = static_cast<unsigned char>(character[0]) & kLeadMask[character.size()];
    for (const char byte : character.substr(1))
      code = code << 6 | (static_cast<unsigned char>(byte) & 0x3f);
    if (code >= 0x10000) {
      AddUnit(0xD800 + ((code - 0x10000) >> 10));
      code = 0xDC00 + ((code - 0x10000) & 0x3ff);
    }
    AddUnit(code);
  }

  Status AddText(std::string_view text) {
    static constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
    json_ += '"';
    for (std::size_t at = 0; at < text.size(); ++at) {
      const std::size_t escape = kEscaped.find(text[at]);
      const auto code = static_cast<unsigned char>(text[at]);
      if (escape != std::string_view::npos) {
        json_ += {'\\', kLetters[escape]};
      } else if (code < 0x20 || (code == 0x7f && style_.escapes_non_ascii)) {
        AddUnit(code);
      } else if (code >= 0x80 && style_.escapes_non_ascii) {
        const std::size_t size = Utf8Length(text.substr(at));
        AddEscaped(text.substr(at, size));
        at += size - 1;
      } else {
        json_ += text[at];
      }
    }
    json_ += '"';
    return CheckSize(json_);
  }

  void AddBreak(int level) {
    if (!style_.indent) return;
    json_ += '\n';
    for (int i = 0; i < level; ++i) json_ += *style_.indent;
  }

  void AddComma() { json_ += style_.item_separator.value_or(style_.indent ? "," : ", "); }

  Status AddList(const Sequence& list, int level) {
    json_ += '[';
    for (const Value& item : list.items) {
      if (&item != &list.items.front()) AddComma();
      AddBreak(level + 1);
      EMEND_RETURN_IF_ERROR(Add(item, level + 1));
    }
    if (!list.items.empty()) AddBreak(level);
    json_ += ']';
    return OkStatus();
  }

  Status AddKey(const Value& key) {
    if (key.text() != nullptr) return AddText(*key.text());
    json_ += '"';
    EMEND_RETURN_IF_ERROR(AddPlain(key));
    json_ += '"';
    return OkStatus();
  }

  Status AddDict(const Dict& dict, int level) {
    std::vector<const Entry*> entries;
    for (const Entry& entry : dict.entries) entries.push_back(&entry);
    if (style_.sorts_keys) {
      for (const Entry* const entry : entries) {
        if (entry->first.text() == nullptr) return NotSupported("sorting keys that are not texts");
      }
      std::ranges::sort(entries, {}, [](const Entry* entry) { return *entry->first.text(); });
    }
    json_ += '{';
    for (const Entry* const entry : entries) {
      if (entry != entries.front()) AddComma();
      AddBreak(level + 1);
      EMEND_RETURN_IF_ERROR(AddKey(entry->first));
      json_ += style_.key_separator.value_or(": ");
      EMEND_RETURN_IF_ERROR(Add(entry->second, level + 1));
    }
    if (!entries.empty()) AddBreak(level);
    json_ += '}';
    return OkStatus();
  }

  const JsonStyle& style_;
  std::string json_;
};

}  // namespace

Result<std::string> Shown(const Value& value) {
  std::string shown;
  EMEND_RETURN_IF_ERROR(Append(value, /*is_inner=*/false, &shown));
  return shown;
}

Result<std::string> ToJson(const Value& value, const JsonStyle& style) {
  JsonWriter writer(style);
  EMEND_RETURN_IF_ERROR(writer.Add(value, 0));
  return writer.Take();
}

}  // namespace emend::worker::chat
