#include "storage/base/encoding.h"

#include <cmath>
#include <limits>

#include "tests/support/status_matchers.h"

namespace emend::encoding_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using ::testing::HasSubstr;

constexpr std::uint16_t kVersion = 3;

std::string Sample() {
  Encoder out(RecordType::kFact, kVersion);
  out.U8(200);
  out.U16(60'000);
  out.U32(4'000'000'000);
  out.U64(std::numeric_limits<std::uint64_t>::max());
  out.I64(-5);
  out.F64(-0.0);
  out.Bool(true);
  out.Text(std::string("a\0b", 3));
  out.Count(2);
  out.U8(1);
  out.U8(2);
  out.Raw("raw");
  return std::move(out).bytes();
}

// Reads the sample with everything checked; the Status of Finish.
Status ReadSample(std::string_view bytes) {
  Decoder in(bytes);
  const std::uint16_t version = in.Record(RecordType::kFact, kVersion);
  const std::uint8_t u8 = in.U8();
  const std::uint16_t u16 = in.U16();
  const std::uint32_t u32 = in.U32();
  const std::uint64_t u64 = in.U64();
  const std::int64_t i64 = in.I64();
  const double f64 = in.F64();
  const bool flag = in.Bool();
  const std::string text = in.Text();
  std::size_t sum = 0;
  const std::size_t count = in.Count(1);
  for (std::size_t i = 0; i < count; ++i) sum += in.U8();
  const std::string_view raw = in.Raw(3);
  EMEND_RETURN_IF_ERROR(in.Finish());
  EXPECT_EQ(version, kVersion);
  EXPECT_EQ(u8, 200);
  EXPECT_EQ(u16, 60'000);
  EXPECT_EQ(u32, 4'000'000'000);
  EXPECT_EQ(u64, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(i64, -5);
  EXPECT_TRUE(f64 == 0.0 && std::signbit(f64));
  EXPECT_TRUE(flag);
  EXPECT_EQ(text, std::string("a\0b", 3));
  EXPECT_EQ(sum, 3U);
  EXPECT_EQ(raw, "raw");
  return OkStatus();
}

TEST(EncodingTest, EverythingComesBackAsItWasWritten) { EXPECT_THAT(ReadSample(Sample()), IsOk()); }

TEST(EncodingTest, IntegersAreLittleEndian) {
  Encoder out;
  out.U32(0x01020304);
  EXPECT_EQ(out.bytes(), "\x04\x03\x02\x01");
}

TEST(EncodingTest, ACutAtAnyByteIsDataLoss) {
  const std::string bytes = Sample();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THAT(ReadSample(bytes.substr(0, size)), StatusIs(StatusCode::kDataLoss)) << size;
}

TEST(EncodingTest, LeftOverBytesAreDataLoss) {
  EXPECT_THAT(ReadSample(Sample() + "x"), StatusIs(StatusCode::kDataLoss));
}

TEST(EncodingTest, AnotherTypeOrANewerVersionIsRefused) {
  const std::string bytes = Encoder(RecordType::kCommit, 2).bytes();
  Decoder other(bytes);
  other.Record(RecordType::kEdit, 2);
  EXPECT_THAT(other.Finish(), StatusIs(StatusCode::kDataLoss));
  Decoder older(bytes);
  older.Record(RecordType::kCommit, 1);
  EXPECT_THAT(older.Finish(), StatusIs(StatusCode::kDataLoss));
  const std::string zero = Encoder(RecordType::kCommit, 0).bytes();
  Decoder none(zero);
  none.Record(RecordType::kCommit, 2);
  EXPECT_THAT(none.Finish(), StatusIs(StatusCode::kDataLoss));
}

TEST(EncodingTest, AFlagIsZeroOrOne) {
  Decoder in(std::string_view("\x02", 1));
  EXPECT_FALSE(in.Bool());
  EXPECT_THAT(in.Finish(), StatusIs(StatusCode::kDataLoss));
}

TEST(EncodingTest, ACountThatTheBytesCannotHoldIsRefusedBeforeAnythingIsAllocated) {
  Encoder out;
  out.Count(4'000'000'000);
  out.U64(1);
  Decoder in(out.bytes());
  EXPECT_EQ(in.Count(8), 0U);
  EXPECT_THAT(in.Finish(), StatusIs(StatusCode::kDataLoss));
  Decoder text(out.bytes());
  EXPECT_EQ(text.Text(), "");
  EXPECT_THAT(text.Finish(), StatusIs(StatusCode::kDataLoss));
}

TEST(EncodingTest, TheFirstFailureSticksAndLaterReadsAreZero) {
  Decoder in("abcd");
  in.U64();
  EXPECT_EQ(in.U8(), 0);
  EXPECT_EQ(in.Text(), "");
  in.Fail("later");
  EXPECT_THAT(in.Finish(), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(in.Finish().message(), HasSubstr("expected at least 8"));
}

TEST(EncodingTest, IdsAreThirtyTwoRawBytes) {
  const CommitId id(Sha256("abc"));
  Encoder out;
  out.Id(id);
  EXPECT_EQ(out.bytes(), id.Raw());
  Decoder in(out.bytes());
  EXPECT_EQ(in.ReadId<CommitId>(), id);
  EXPECT_THAT(in.Finish(), IsOk());
  Decoder cut(std::string_view(out.bytes()).substr(1));
  EXPECT_TRUE(cut.ReadId<CommitId>().IsZero());
  EXPECT_THAT(cut.Finish(), StatusIs(StatusCode::kDataLoss));
}

}  // namespace
}  // namespace emend::encoding_test
