#include "storage/base/log.h"

#include <nlohmann/json.hpp>
#include <sstream>

#include "storage/base/file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::log_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using ::testing::SizeIs;

// Text that people send to break logs, terminals and parsers.
const std::vector<std::string> kHostile = {
    "plain",
    "\"quoted\" \\ backslash",
    "line\nbreak\r\nand\ttab",
    std::string("nul\0byte", 8),
    "\x1b[31mansi\x1b[0m\x7f",
    "{} {0} %s %n",
    "</script><script>alert(1)</script>",
    "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80",
    "\xe2\x80\xae bidi",
    "\xff\xfe\x80 no utf-8",
    "\xc0\xaf overlong",
    "\xed\xa0\x80 surrogate",
    "\xf4\x90\x80\x80 beyond",
    "cut \xe2\x82",
    std::string(100'000, 'x'),
    "\",\"level\":\"error\",\"x\":\"",
};

class LogTest : public ::testing::Test {
 protected:
  LogTest() { EXPECT_THAT(LogToFile(path_), IsOk()); }
  ~LogTest() override {
    SetLogLevel(LogLevel::kInfo);
    EXPECT_THAT(LogToFile("/dev/stderr"), IsOk());
  }
  std::vector<nlohmann::json> Lines() {
    std::vector<nlohmann::json> lines;
    const auto text = files_.Read(path_);
    EXPECT_THAT(text, IsOk());
    std::istringstream stream(*text);
    for (std::string line; std::getline(stream, line);)
      lines.push_back(nlohmann::json::parse(line));
    return lines;
  }

  test::TemporaryFolder folder_;
  PosixFileSystem files_;
  const std::string path_ = folder_.path() + "/log";
};

TEST_F(LogTest, OneLineAnEventWithItsFields) {
  LogInfo("commit_stored",
          {{"repo", "atlas"}, {"edits", 100}, {"seconds", 1.5}, {"status", NotFound("gone")}});
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0]["event"], "commit_stored");
  EXPECT_EQ(lines[0]["level"], "info");
  EXPECT_EQ(lines[0]["repo"], "atlas");
  EXPECT_EQ(lines[0]["edits"], 100);
  EXPECT_EQ(lines[0]["seconds"], 1.5);
  EXPECT_EQ(lines[0]["status"], "not_found: gone");
  EXPECT_EQ(lines[0]["time"].get<std::string>().size(),
            std::string("2026-01-01T00:00:00.000Z").size());
}

TEST_F(LogTest, HostileTextStaysInsideItsField) {
  for (const std::string& text : kHostile) LogWarning("event", {{"text", text}});
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), kHostile.size());
  for (const auto& line : lines) {
    EXPECT_EQ(line.size(), 4U);
    EXPECT_EQ(line["level"], "warning");
  }
}

TEST_F(LogTest, LevelsBelowTheChosenOneAreLeftOut) {
  LogDebug("debug");
  SetLogLevel(LogLevel::kError);
  LogWarning("warning");
  LogError("error");
  SetLogLevel(LogLevel::kOff);
  LogError("off");
  const auto lines = Lines();
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0]["event"], "error");
}

TEST_F(LogTest, AFileThatCannotBeOpenedLeavesTheOldOne) {
  EXPECT_THAT(LogToFile(folder_.path()), StatusIs(StatusCode::kUnavailable));
  LogInfo("still_here");
  EXPECT_THAT(Lines(), SizeIs(1));
}

TEST(JsonQuoteTest, ValidTextComesBackAndNothingPrintsAControlCharacter) {
  for (const std::string& text : kHostile) {
    const std::string quoted = JsonQuote(text);
    EXPECT_TRUE(nlohmann::json::accept(quoted)) << quoted;
    for (const char c : quoted) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }
  EXPECT_EQ(nlohmann::json::parse(JsonQuote(std::string("a\0\n\"\\\x7f\xe2\x82\xac", 9))),
            std::string("a\0\n\"\\\x7f\xe2\x82\xac", 9));
}

TEST(JsonQuoteTest, BytesThatAreNoUtf8BecomeTheReplacementCharacter) {
  EXPECT_EQ(JsonQuote("a\xff"
                      "b"),
            "\"a\xef\xbf\xbd"
            "b\"");
  EXPECT_EQ(JsonQuote("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace emend::log_test
