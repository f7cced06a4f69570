#include "worker/protocol/messages.h"

#include <gmock/gmock.h>

#include "storage/base/encoding.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/protocol/sample_messages.h"

namespace emend::worker::protocol::messages_test {
namespace {

using ::emend::test::StatusIs;

TEST(MessagesTest, EveryKindComesBackWithEveryField) {
  for (const Message& message : SampleMessages()) {
    const Result<Message> back = DecodeMessage(EncodeMessage(message));
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_TRUE(*back == message) << "kind " << message.index();
  }
}

TEST(MessagesTest, RandomMessagesComeBack) {
  std::mt19937_64 random(20240601);
  for (int i = 0; i < 3000; ++i) {
    const Message message = RandomMessage(random);
    const Result<Message> back = DecodeMessage(EncodeMessage(message));
    ASSERT_TRUE(back.ok()) << "message " << i << ": " << back.status().ToString();
    ASSERT_TRUE(*back == message) << "message " << i;
  }
}

TEST(MessagesTest, EveryTruncationIsDataLoss) {
  for (const Message& message : SampleMessages()) {
    const std::string bytes = EncodeMessage(message);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Result<Message> back = DecodeMessage(std::string_view(bytes).substr(0, size));
      ASSERT_FALSE(back.ok()) << "kind " << message.index() << " cut at " << size;
      ASSERT_EQ(back.status().code(), StatusCode::kDataLoss);
    }
  }
}

TEST(MessagesTest, FlippedBitsGiveAMessageOrDataLoss) {
  std::mt19937_64 random(77);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = EncodeMessage(RandomMessage(random));
    for (std::uint64_t flips = 1 + random() % 8; flips > 0; --flips)
      bytes[random() % bytes.size()] ^= static_cast<char>(1 << (random() % 8));
    const Result<Message> back = DecodeMessage(bytes);
    if (!back.ok()) {
      ASSERT_EQ(back.status().code(), StatusCode::kDataLoss) << "message " << i;
    }
  }
}

TEST(MessagesTest, LeftOverBytesAreRefused) {
  EXPECT_THAT(DecodeMessage(EncodeMessage(Cancel{3}) + "x"), StatusIs(StatusCode::kDataLoss));
}

TEST(MessagesTest, AMapWithoutRisingKeysIsRefused) {
  std::string bytes =
      EncodeMessage(Response{1, OkStatus(), SolveReply{{}, {}, {{"a", 1}, {"b", 2}}}});
  const std::size_t b = bytes.rfind('b');
  bytes[b] = 'a';
  EXPECT_THAT(DecodeMessage(bytes), StatusIs(StatusCode::kDataLoss));
}

TEST(MessagesTest, AListThatLiesAboutItsLengthIsRefusedWithoutAllocatingIt) {
  Encoder out(RecordType::kMessage, 1);
  out.U16(5);  // Request
  out.U64(1);
  out.U16(2);  // EnsureState
  out.Id(BaseId());
  out.Id(StateId());
  out.U32(0xffffffff);
  EXPECT_THAT(DecodeMessage(out.bytes()), StatusIs(StatusCode::kDataLoss));
}

TEST(MessagesTest, AKindOrAStatusCodeThatIsNoneIsRefused) {
  Encoder request(RecordType::kMessage, 1);
  request.U16(5);
  request.U64(31);
  request.U16(999);
  const Result<Message> kind = DecodeMessage(request.bytes());
  EXPECT_THAT(kind, StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(kind.status().message(), testing::HasSubstr("found kind 999, which no request has"));

  Encoder response(RecordType::kMessage, 1);
  response.U16(7);
  response.U64(31);
  response.U8(200);
  response.Text("new_slug");
  response.Text("what");
  const Result<Message> code = DecodeMessage(response.bytes());
  EXPECT_THAT(code, StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(code.status().message(), testing::HasSubstr("status code 200"));
}

TEST(MessagesTest, TheTableSaysWhatARequestIs) {
  EXPECT_EQ(TraitsOf(Solve{}).name, "solve");
  EXPECT_EQ(TraitsOf(DigestState{}).name, "digest_state");
  EXPECT_EQ(TraitsOf(SampleTexts{}).name, "sample_texts");
  EXPECT_EQ(TraitsOf(Follow{}).name, "follow");
  EXPECT_EQ(TraitsOf(Follow{}).fan_out, FanOut::kOneRank);
  EXPECT_EQ(TraitsOf(Solve{}).fan_out, FanOut::kAllRanks);
  EXPECT_EQ(TraitsOf(Solve{}).lane, Lane::kWork);
  EXPECT_EQ(TraitsOf(Complete{}).lane, Lane::kTexts);
  EXPECT_EQ(TraitsOf(Complete{}).asker, Asker::kGatewayToo);
  EXPECT_EQ(TraitsOf(Publish{}).on_base, OnBase::kNothing);
}

}  // namespace
}  // namespace emend::worker::protocol::messages_test
