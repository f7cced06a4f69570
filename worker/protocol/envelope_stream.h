// Envelopes in a stream of bytes, with the limits of a connection: what all transports share.
//
// Thread-safety: none needed; owned by one connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "worker/protocol/connection.h"

namespace emend::worker::protocol {

inline constexpr std::size_t kSendQueueBytesMax = std::size_t{64} << 20;

class EnvelopeStream {
 public:
  // Of another version than this build's only in tests.
  explicit EnvelopeStream(std::uint16_t version = kProtocolVersion)
      : version_(version),
        reader_({.payload_bytes_max = kUnprovenPayloadBytesMax, .version = version}) {}

  // The wire bytes of `envelope`. kResourceExhausted ("frame_too_long"). Having sent Welcome lifts
  // the limit on what the peer may send.
  Result<std::string> Encode(const Envelope& envelope);
  void Feed(std::string_view bytes) { reader_.Feed(bytes); }
  // The next whole envelope, or nothing. Failures as FrameReader::Next, or kDataLoss from
  // DecodeMessage: the connection has to be closed.
  Result<std::optional<Envelope>> Next();
  bool mid_frame() const { return reader_.mid_frame(); }
  bool welcomed() const { return welcomed_; }

 private:
  void NoteWelcome(const Message& message);

  const std::uint16_t version_;
  FrameReader reader_;
  bool welcomed_ = false;  // Welcome was sent or received
};

}  // namespace emend::worker::protocol
