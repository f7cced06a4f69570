// What the tokenizer's tests share: the files of tests/golden/tokenizer and random texts.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "storage/base/file_system.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::tokenizer {

inline const std::string kGoldenFolder = "tests/golden/tokenizer/";

inline std::string TokenizerPath(const std::string& name) {
  return name == "atlas" ? "docs/examples/atlas/model/tokenizer.json"
                         : kGoldenFolder + name + ".tokenizer.json";
}

inline std::string ReadFile(const std::string& path) {
  PosixFileSystem disk;
  Result<std::string> bytes = disk.Read(path);
  EXPECT_TRUE(bytes.ok()) << bytes.status().ToString();
  return bytes.ok() ? *bytes : std::string();
}

inline std::string SentencePiecePath(const std::string& name) {
  return kGoldenFolder + name + ".tokenizer.model";
}

// A name that begins with "sp_" is of a tokenizer.model.
inline std::unique_ptr<Tokenizer> OpenTokenizer(const std::string& name) {
  Result<std::unique_ptr<Tokenizer>> tokenizer =
      name.starts_with("sp_")
          ? Tokenizer::FromSentencePiece({.model = ReadFile(SentencePiecePath(name)),
                                          .tokenizer_config = "",
                                          .added_tokens = ""})
          : Tokenizer::Open(TokenizerPath(name));
  EMEND_CHECK(tokenizer.ok(), tokenizer.status().ToString());
  return std::move(tokenizer).value();
}

inline std::vector<TokenId> Ids(const std::vector<Token>& tokens) {
  std::vector<TokenId> ids;
  for (const Token& token : tokens) ids.push_back(token.id);
  return ids;
}

// UTF-8 of all kinds: letters, digits, blanks, marks, and characters of two, three and four bytes.
class RandomText {
 public:
  explicit RandomText(std::uint64_t seed) : engine_(seed) {}

  std::string Next() {
    std::string text;
    const std::size_t length = Below(80);
    for (std::size_t i = 0; i < length; ++i) AppendCharacter(&text);
    return text;
  }

  std::size_t Below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(engine_);
  }

 private:
  void AppendCharacter(std::string* text) {
    static const std::vector<std::pair<char32_t, char32_t>> kRanges = {
        {'a', 'z'},       {'a', 'z'},       {' ', ' '},         {' ', '~'},       {0, 0x1f},
        {0x80, 0x24f},    {0x300, 0x36f},   {0x900, 0xdff},     {0x1100, 0x11ff}, {0x2000, 0x206f},
        {0x4e00, 0x4fff}, {0xac00, 0xad00}, {0x1f300, 0x1f6ff}, {0xe000, 0xffff}};
    const auto [first, last] = kRanges[Below(kRanges.size())];
    Append(first + static_cast<char32_t>(Below(last - first + 1)), text);
  }

  static void Append(char32_t value, std::string* text) {
    const auto tail = [&](int shift) {
      text->push_back(static_cast<char>(0x80 | (value >> shift & 0x3f)));
    };
    if (value < 0x80) return text->push_back(static_cast<char>(value));
    if (value < 0x800) {
      text->push_back(static_cast<char>(0xc0 | value >> 6));
    } else if (value < 0x10000) {
      text->push_back(static_cast<char>(0xe0 | value >> 12));
      tail(6);
    } else {
      text->push_back(static_cast<char>(0xf0 | value >> 18));
      tail(12);
      tail(6);
    }
    tail(0);
  }

  std::mt19937_64 engine_;
};

}  // namespace emend::worker::tokenizer
