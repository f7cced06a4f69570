#include "worker/protocol/frame.h"

#include "storage/base/digest.h"
#include "storage/base/encoding.h"

namespace emend::worker::protocol {
namespace {

constexpr std::string_view kMagic = "EMND";
constexpr std::size_t kVersionOffset = 4;
constexpr std::size_t kChecksumOffset = kFrameHeadBytes - 4;

struct Head {
  std::uint16_t version = 0;
  std::uint16_t flags = 0;
  std::uint64_t store_epoch = 0;
  std::uint64_t generation = 0;
  std::uint32_t length = 0;
  std::uint32_t checksum = 0;
};

// REQUIRES: `bytes` holds at least a head.
Head ReadHead(std::string_view bytes) {
  Decoder in(bytes.substr(kVersionOffset));
  Head head;
  head.version = in.U16();
  head.flags = in.U16();
  head.store_epoch = in.U64();
  head.generation = in.U64();
  head.length = in.U32();
  head.checksum = in.U32();
  return head;
}

std::uint32_t ChecksumOf(std::string frame) {
  for (std::size_t i = 0; i < 4; ++i) frame[kChecksumOffset + i] = 0;
  return Crc32c(frame);
}

Status BadFrame(std::string what) {
  return {StatusCode::kDataLoss, "bad_frame", "reading a frame: " + std::move(what)};
}

}  // namespace

std::string EncodeFrame(const Frame& frame) {
  EMEND_CHECK(frame.payload.size() <= kPayloadBytesMax,
              "a frame of " + std::to_string(frame.payload.size()) + " bytes was encoded");
  const auto head = [&frame](std::uint32_t checksum) {
    Encoder out;
    out.Raw(kMagic);
    out.U16(frame.version);
    out.U16(0);
    out.U64(frame.store_epoch);
    out.U64(frame.generation);
    out.U32(static_cast<std::uint32_t>(frame.payload.size()));
    out.U32(checksum);
    return std::move(out).bytes();
  };
  std::string wire = head(0);
  wire.reserve(kFrameHeadBytes + frame.payload.size());
  wire += frame.payload;
  const std::uint32_t checksum = Crc32c(wire);
  for (std::size_t i = 0; i < 4; ++i)
    wire[kChecksumOffset + i] = static_cast<char>(checksum >> (8 * i));
  return wire;
}

void FrameReader::Feed(std::string_view bytes) {
  if (broken_.ok()) pending_ += bytes;
}

Status FrameReader::CheckHead() {
  const std::string_view magic = std::string_view(pending_).substr(0, kMagic.size());
  if (magic != kMagic)
    return BadFrame("it does not begin with \"EMND\"; the peer speaks another protocol");
  const Head head = ReadHead(pending_);
  if (head.version != limits_.version) {
    return {StatusCode::kUnsupported, "protocol_version",
            "reading a frame: found protocol version " + std::to_string(head.version) +
                ", this program speaks " + std::to_string(limits_.version) +
                "; use programs of one release"};
  }
  if (head.flags != 0)
    return BadFrame("found flags " + std::to_string(head.flags) + ", expected 0");
  if (head.length > limits_.payload_bytes_max) {
    return {StatusCode::kDataLoss, "frame_too_long",
            "reading a frame: found a length of " + std::to_string(head.length) +
                " bytes, expected at most " + std::to_string(limits_.payload_bytes_max)};
  }
  length_ = head.length;
  return OkStatus();
}

Result<std::optional<Frame>> FrameReader::Next() {
  if (!broken_.ok()) return broken_;
  if (pending_.size() < kFrameHeadBytes) return std::optional<Frame>();
  if (!length_) broken_ = CheckHead();
  if (!broken_.ok()) return broken_;
  const std::size_t size = kFrameHeadBytes + *length_;
  if (pending_.size() < size) return std::optional<Frame>();

  std::string whole = std::move(pending_);
  pending_ = whole.substr(size);
  whole.resize(size);
  length_.reset();
  const Head head = ReadHead(whole);
  Frame frame{.version = head.version,
              .store_epoch = head.store_epoch,
              .generation = head.generation,
              .payload = whole.substr(kFrameHeadBytes)};
  const std::uint32_t found = ChecksumOf(std::move(whole));
  if (found != head.checksum) {
    broken_ = BadFrame("its checksum is " + std::to_string(found) + ", the head says " +
                       std::to_string(head.checksum));
    return broken_;
  }
  return std::optional<Frame>(std::move(frame));
}

}  // namespace emend::worker::protocol
