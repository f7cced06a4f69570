#include "storage/text/unicode.h"

#include <gtest/gtest.h>

namespace emend::storage::text::unicode_test {
namespace {

TEST(Unicode, OneFormOfATextThatLooksTheSame) {
  EXPECT_EQ(Nfc("Cafe\u0301"), "Caf\u00e9");
  EXPECT_EQ(Nfc("Caf\u00e9"), "Caf\u00e9");
  EXPECT_EQ(Nfc("\u1112\u1161\u11ab"), "\ud55c");
  EXPECT_EQ(Nfc("plain"), "plain");
  EXPECT_EQ(Nfc(""), "");
}

TEST(Unicode, WhiteSpaceOfAnyScriptIsTrimmedAtTheEnds) {
  EXPECT_EQ(Trim("\u00a0 Oslo\u3000\u2003\n"), "Oslo");
  EXPECT_EQ(Trim("New\u00a0York"), "New\u00a0York");
  EXPECT_EQ(Trim("\u2028\u3000"), "");
  EXPECT_EQ(Trim(""), "");
}

TEST(Unicode, WhatNobodySeesIsFoundAndNamed) {
  const auto found = FirstInvisible("Os\u200blo");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->byte, 2U);
  EXPECT_EQ(NameOf(found->character), "U+200B (zero width space)");
  for (const std::string text : {"\ufeffOslo", "Os\u00adlo", "a\u2028b", "a\u202eb", "a\x01z",
                                 "a\u200db", "a\u2060b", "a\u0085z"}) {
    EXPECT_TRUE(FirstInvisible(text).has_value()) << text;
  }
  // A joiner inside an emoji and a non-joiner of Persian are part of what is seen.
  for (const std::string text : {"Oslo", "a\tb\nc", "\U0001f469\u200d\U0001f680",
                                 "\u0645\u06cc\u200c\u0631\u0648\u062f", "New\u00a0York"}) {
    EXPECT_FALSE(FirstInvisible(text).has_value()) << text;
  }
}

TEST(Unicode, CharactersAtTheEnds) {
  EXPECT_EQ(FirstCharacter("\u00e9a"), U'\u00e9');
  EXPECT_EQ(LastCharacter("a\U0001f680"), U'\U0001f680');
  EXPECT_EQ(LastCharacter(""), U'\0');
  EXPECT_EQ(Utf8Of(U'\u6c34'), "\u6c34");
}

}  // namespace
}  // namespace emend::storage::text::unicode_test
