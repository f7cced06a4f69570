#include "worker/protocol/frame.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/support/status_matchers.h"
#include "tests/worker/protocol/sample_messages.h"

namespace emend::worker::protocol {
namespace {

using ::emend::test::StatusIs;

std::string GoldenFile(std::uint16_t version) {
  return "tests/golden/frame-v" + std::to_string(version) + ".bin";
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Frame Sample(std::string payload) {
  return {.version = kProtocolVersion,
          .store_epoch = 3,
          .generation = 7,
          .payload = std::move(payload)};
}

// What a version's golden file holds: every sample message in a frame of its own.
std::vector<Frame> GoldenFrames(std::uint16_t version = kProtocolVersion) {
  std::vector<Frame> frames;
  for (const Message& message : SampleMessages(version)) {
    frames.push_back(Sample(EncodeMessage(message, version)));
    frames.back().version = version;
  }
  return frames;
}

std::optional<Frame> ReadOne(FrameReader& reader) {
  const Result<std::optional<Frame>> next = reader.Next();
  EXPECT_TRUE(next.ok()) << next.status().ToString();
  return next.ok() ? *next : std::nullopt;
}

TEST(FrameTest, AStreamCutAnywhereGivesTheSameFrames) {
  std::string stream;
  for (const Frame& frame : GoldenFrames()) stream += EncodeFrame(frame);
  std::mt19937_64 random(5);
  for (int round = 0; round < 50; ++round) {
    FrameReader reader(FrameLimits{});
    std::vector<Frame> found;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 200, stream.size() - at);
      reader.Feed(std::string_view(stream).substr(at, size));
      at += size;
      while (std::optional<Frame> frame = ReadOne(reader)) found.push_back(std::move(*frame));
    }
    EXPECT_EQ(found, GoldenFrames());
    EXPECT_FALSE(reader.mid_frame());
  }
}

class GoldenTest : public ::testing::TestWithParam<std::uint16_t> {};
INSTANTIATE_TEST_SUITE_P(Versions, GoldenTest,
                         ::testing::Values(kProtocolVersionMin, kProtocolVersion));

TEST_P(GoldenTest, TheFileOpens) {
  FrameReader reader(FrameLimits{});
  reader.Feed(ReadFile(GoldenFile(GetParam())));
  for (const Message& message : SampleMessages(GetParam())) {
    const std::optional<Frame> frame = ReadOne(reader);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->version, GetParam());
    EXPECT_EQ(frame->store_epoch, 3U);
    EXPECT_EQ(frame->generation, 7U);
    const Result<Message> back = DecodeMessage(frame->payload, frame->version);
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_TRUE(*back == message);
  }
  EXPECT_FALSE(reader.mid_frame()) << "the file holds more than the samples";
}

TEST_P(GoldenTest, TheFileIsWhatThisBuildWrites) {
  std::string written;
  for (const Frame& frame : GoldenFrames(GetParam())) written += EncodeFrame(frame);
  if (std::getenv("EMEND_WRITE_GOLDEN") != nullptr)
    std::ofstream(GoldenFile(GetParam()), std::ios::binary) << written;
  EXPECT_TRUE(ReadFile(GoldenFile(GetParam())) == written)
      << "the encodings of a version are fixed; a change needs a new version and a new golden file";
}

TEST(FrameTest, EveryFlippedBitIsFound) {
  const std::string wire = EncodeFrame(Sample("a payload"));
  for (std::size_t bit = 0; bit < 8 * wire.size(); ++bit) {
    std::string damaged = wire;
    damaged[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    FrameReader reader(FrameLimits{});
    reader.Feed(damaged);
    const Result<std::optional<Frame>> next = reader.Next();
    // A longer length only makes the reader wait for bytes that never come.
    ASSERT_TRUE(!next.ok() || !next->has_value()) << "bit " << bit;
    if (!next.ok()) {
      ASSERT_TRUE(next.status().code() == StatusCode::kDataLoss ||
                  next.status().slug() == "protocol_version")
          << "bit " << bit;
    }
  }
}

TEST(FrameTest, AFailureSticks) {
  FrameReader reader(FrameLimits{});
  reader.Feed(std::string(kFrameHeadBytes, 'x'));
  EXPECT_THAT(reader.Next(), StatusIs(StatusCode::kDataLoss, "bad_frame"));
  reader.Feed(EncodeFrame(Sample("fine")));
  EXPECT_THAT(reader.Next(), StatusIs(StatusCode::kDataLoss, "bad_frame"));
}

TEST(FrameTest, ALengthOverTheLimitIsRefusedFromTheHeadAlone) {
  const std::string wire = EncodeFrame(Sample(std::string(kUnprovenPayloadBytesMax + 1, 'x')));
  FrameReader unproven(FrameLimits{.payload_bytes_max = kUnprovenPayloadBytesMax});
  unproven.Feed(std::string_view(wire).substr(0, kFrameHeadBytes));
  EXPECT_THAT(unproven.Next(), StatusIs(StatusCode::kDataLoss, "frame_too_long"));

  FrameReader proven(FrameLimits{});
  proven.Feed(wire);
  EXPECT_TRUE(ReadOne(proven).has_value());

  FrameReader exact(FrameLimits{.payload_bytes_max = kUnprovenPayloadBytesMax});
  exact.Feed(EncodeFrame(Sample(std::string(kUnprovenPayloadBytesMax, 'x'))));
  EXPECT_TRUE(ReadOne(exact).has_value());
}

TEST(FrameTest, ThisVersionAndTheOneBeforeAreRead) {
  const auto read = [](std::uint16_t version) {
    FrameReader reader(FrameLimits{.newest_version = 5});
    Frame frame = Sample("x");
    frame.version = version;
    reader.Feed(EncodeFrame(frame));
    const Result<std::optional<Frame>> next = reader.Next();
    return next.ok() ? OkStatus() : next.status();
  };
  EXPECT_TRUE(read(5).ok());
  EXPECT_TRUE(read(4).ok());
  EXPECT_THAT(read(3), StatusIs(StatusCode::kUnsupported, "protocol_version"));
  EXPECT_THAT(read(6), StatusIs(StatusCode::kUnsupported, "protocol_version"));
  EXPECT_THAT(read(0), StatusIs(StatusCode::kUnsupported, "protocol_version"));
}

}  // namespace
}  // namespace emend::worker::protocol
