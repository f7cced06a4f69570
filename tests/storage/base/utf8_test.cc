#include "storage/base/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace emend::utf8_test {
namespace {

using ::testing::Eq;
using ::testing::Optional;

TEST(Utf8Test, EveryLengthAtItsEdgesIsWellFormed) {
  for (const std::string text :
       {"a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(Utf8Length(text), text.size()) << ::testing::PrintToString(text);
    EXPECT_THAT(FirstInvalidUtf8(text), Eq(std::nullopt));
  }
}

TEST(Utf8Test, OverlongSurrogateCutAndTooLargeFormsAreNot) {
  for (const std::string text : {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf",
                                 "\xe2\x82", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
                                 "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc2\x20"}) {
    EXPECT_EQ(Utf8Length(text), 0U) << ::testing::PrintToString(text);
    EXPECT_THAT(FirstInvalidUtf8("ab" + text), Optional(2U));
  }
}

}  // namespace
}  // namespace emend::utf8_test
