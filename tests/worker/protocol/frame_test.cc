#include "worker/protocol/frame.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/support/status_matchers.h"
#include "tests/worker/protocol/sample_messages.h"

namespace emend::worker::protocol::frame_test {
namespace {

using ::emend::test::StatusIs;

std::string GoldenFile() {
  return "tests/golden/frame-v" + std::to_string(kProtocolVersion) + ".bin";
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

// What the golden file holds: every sample message in a frame of its own.
std::vector<Frame> GoldenFrames() {
  std::vector<Frame> frames;
  for (const Message& message : SampleMessages()) frames.push_back(Sample(EncodeMessage(message)));
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

TEST(GoldenTest, TheFileOpens) {
  FrameReader reader(FrameLimits{});
  reader.Feed(ReadFile(GoldenFile()));
  for (const Message& message : SampleMessages()) {
    const std::optional<Frame> frame = ReadOne(reader);
    ASSERT_TRUE(frame.has_value());
    EXPECT_EQ(frame->version, kProtocolVersion);
    EXPECT_EQ(frame->store_epoch, 3U);
    EXPECT_EQ(frame->generation, 7U);
    const Result<Message> back = DecodeMessage(frame->payload);
    ASSERT_TRUE(back.ok()) << back.status().ToString();
    EXPECT_TRUE(*back == message);
  }
  EXPECT_FALSE(reader.mid_frame()) << "the file holds more than the samples";
}

TEST(GoldenTest, TheFileIsWhatThisBuildWrites) {
  std::string written;
  for (const Frame& frame : GoldenFrames()) written += EncodeFrame(frame);
  if (std::getenv("EMEND_WRITE_GOLDEN") != nullptr)
    std::ofstream(GoldenFile(), std::ios::binary) << written;
  EXPECT_TRUE(ReadFile(GoldenFile()) == written)
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

TEST(FrameTest, OneVersionIsReadAndAnyOtherIsRefusedByName) {
  const auto read = [](std::uint16_t version) {
    FrameReader reader(FrameLimits{.version = 5});
    Frame frame = Sample("x");
    frame.version = version;
    reader.Feed(EncodeFrame(frame));
    const Result<std::optional<Frame>> next = reader.Next();
    return next.ok() ? OkStatus() : next.status();
  };
  EXPECT_TRUE(read(5).ok());
  EXPECT_THAT(read(4), StatusIs(StatusCode::kUnsupported, "protocol_version"));
  EXPECT_THAT(read(6), StatusIs(StatusCode::kUnsupported, "protocol_version"));
  EXPECT_THAT(read(0), StatusIs(StatusCode::kUnsupported, "protocol_version"));
  EXPECT_EQ(read(4).message(),
            "reading a frame: found protocol version 4, this program speaks 5; use programs of one "
            "release");
}

}  // namespace
}  // namespace emend::worker::protocol::frame_test
