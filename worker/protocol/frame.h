// Frames: how a message lies on the wire. Pure bytes in and out; no sockets, no time.
//
//   std::string wire = EncodeFrame({.store_epoch = 3, .generation = 7, .payload = EncodeMessage(
//       message)});
//
//   FrameReader reader(FrameLimits{.payload_bytes_max = kUnprovenPayloadBytesMax});
//   reader.Feed(bytes_from_the_socket);                                       // any cut
//   EMEND_ASSIGN_OR_RETURN(std::optional<Frame> frame, reader.Next());        // nothing: feed more
//
// Layout, little-endian, 32 bytes and the payload: magic "EMND", protocol version u16, flags u16
// (zero), store epoch u64, generation u64, payload length u32, CRC-32C u32 of head and payload with
// this field zero. Whoever has not proven a token may send payloads of at most 64 KiB.
// Thread-safety: none needed; used by one thread. A reader owns what it was fed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

inline constexpr std::size_t kFrameBytesMax = std::size_t{1} << 30;  // head and payload
inline constexpr std::size_t kFrameHeadBytes = 32;
inline constexpr std::size_t kUnprovenPayloadBytesMax = std::size_t{64} << 10;  // before Welcome
inline constexpr std::size_t kPayloadBytesMax = kFrameBytesMax - kFrameHeadBytes;

struct Frame {
  std::uint16_t version = kProtocolVersion;
  std::uint64_t store_epoch = 0;
  std::uint64_t generation = 0;
  std::string payload;
  friend bool operator==(const Frame&, const Frame&) = default;
};

struct FrameLimits {
  std::size_t payload_bytes_max = kPayloadBytesMax;
  std::uint16_t version = kProtocolVersion;  // the one that is read
};

// REQUIRES: the payload has at most kPayloadBytesMax bytes.
std::string EncodeFrame(const Frame& frame);

class FrameReader {
 public:
  explicit FrameReader(FrameLimits limits) : limits_(limits) {}

  // Memory held: what was fed and not yet taken. A frame's length is believed only as its bytes
  // arrive.
  void Feed(std::string_view bytes);
  // The next whole frame, or nothing. kDataLoss ("bad_frame": magic, flags or checksum;
  // "frame_too_long"), kUnsupported ("protocol_version"): nothing after it in the stream can be
  // trusted, and every later call fails the same way.
  Result<std::optional<Frame>> Next();
  // True between the first and the last byte of a frame.
  bool mid_frame() const { return !pending_.empty(); }
  void set_payload_bytes_max(std::size_t bytes) { limits_.payload_bytes_max = bytes; }

 private:
  Status CheckHead();

  FrameLimits limits_;
  std::string pending_;                // from the first byte of the next frame
  std::optional<std::size_t> length_;  // of its payload, once its head was checked
  Status broken_;
};

}  // namespace emend::worker::protocol
