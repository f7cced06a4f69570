#include "storage/base/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/status_matchers.h"

namespace emend::archive_test {
namespace {

using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;
using ::testing::HasSubstr;

enum class Colour : std::uint8_t { kRed = 1, kBlue = 2 };
constexpr Colour LastOf(Colour) { return Colour::kBlue; }

using ShortName = Named<std::string, struct ShortNameTag>;
constexpr std::size_t RawBytesOf(const ShortName&) { return 2; }

struct Part {
  std::string text;
  double number = 0;
  static constexpr RecordHead kHead = {RecordType::kFact, 3};
  static auto Fields(auto& m) { return std::tie(m.text, m.number); }
  friend bool operator==(const Part&, const Part&) = default;
};

struct Whole {
  Colour colour = Colour::kRed;
  ShortName name{"ab"};
  std::optional<std::int64_t> maybe;
  std::map<std::string, std::int32_t> counts;
  std::vector<Part> parts;
  static constexpr RecordHead kHead = {RecordType::kEdit, 2};
  static auto Fields(auto& m) { return std::tie(m.colour, m.name, m.maybe, m.counts, m.parts); }
  friend bool operator==(const Whole&, const Whole&) = default;
};

const Whole kWhole{Colour::kBlue, ShortName("xy"), -5, {{"a", 1}, {"b", -2}}, {{"part", 0.5}, {}}};

// Of kWhole, by hand.
std::string WholeByHand() {
  Encoder out(RecordType::kEdit, 2);
  out.U8(2);
  out.Raw("xy");
  out.Bool(true);
  out.I64(-5);
  out.Count(2);
  out.Text("a");
  out.U32(1);
  out.Text("b");
  out.U32(static_cast<std::uint32_t>(-2));
  out.Count(2);
  for (const auto& [text, number] : {std::pair("part", 0.5), std::pair("", 0.0)}) {
    out.U16(static_cast<std::uint16_t>(RecordType::kFact));
    out.U16(3);
    out.Text(text);
    out.F64(number);
  }
  return std::move(out).bytes();
}

TEST(ArchiveTest, ARecordIsItsHeadAndItsFieldsInTheirOrder) {
  EXPECT_EQ(EncodeRecord(kWhole), WholeByHand());
  EXPECT_THAT(DecodeRecord<Whole>(WholeByHand()), IsOkAndHolds(kWhole));
}

TEST(ArchiveTest, EveryCutIsDataLoss) {
  const std::string bytes = WholeByHand();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THAT(DecodeRecord<Whole>(bytes.substr(0, size)), StatusIs(StatusCode::kDataLoss))
        << size;
  EXPECT_THAT(DecodeRecord<Whole>(bytes + "x"), StatusIs(StatusCode::kDataLoss));
}

TEST(ArchiveTest, AnotherVersionIsRefused) {
  std::string bytes = WholeByHand();
  bytes[2] = 1;
  const Result<Whole> read = DecodeRecord<Whole>(bytes);
  EXPECT_THAT(read, StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(read.status().message(), HasSubstr("found version 1, expected 2"));
}

TEST(ArchiveTest, AnEnumIsOneOfItsValues) {
  for (const char value : {'\0', '\3'}) {
    std::string bytes = WholeByHand();
    bytes[4] = value;
    const Result<Whole> read = DecodeRecord<Whole>(bytes);
    EXPECT_THAT(read, StatusIs(StatusCode::kDataLoss));
    EXPECT_THAT(read.status().message(), HasSubstr("for one of 2 kinds"));
  }
}

TEST(ArchiveTest, EqualNumbersAreEqualBytes) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(EncodeRecord(Part{"", -0.0}), EncodeRecord(Part{"", 0.0}));
  EXPECT_EQ(EncodeRecord(Part{"", -nan}), EncodeRecord(Part{"", nan}));
}

}  // namespace
}  // namespace emend::archive_test
