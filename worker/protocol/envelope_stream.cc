#include "worker/protocol/envelope_stream.h"

namespace emend::worker::protocol {

void EnvelopeStream::NoteWelcome(const Message& message) {
  if (!std::holds_alternative<Welcome>(message)) return;
  welcomed_ = true;
  reader_.set_payload_bytes_max(kPayloadBytesMax);
}

Result<std::string> EnvelopeStream::Encode(const Envelope& envelope) {
  Frame frame{.version = version_,
              .store_epoch = envelope.store_epoch,
              .generation = envelope.generation,
              .payload = EncodeMessage(envelope.message)};
  if (frame.payload.size() > kPayloadBytesMax) {
    return Status(StatusCode::kResourceExhausted, "frame_too_long",
                  "sending a message of " + std::to_string(frame.payload.size()) +
                      " bytes: a frame holds at most " + std::to_string(kPayloadBytesMax) +
                      "; split the request");
  }
  NoteWelcome(envelope.message);
  return EncodeFrame(frame);
}

Result<std::optional<Envelope>> EnvelopeStream::Next() {
  EMEND_ASSIGN_OR_RETURN(const std::optional<Frame> frame, reader_.Next());
  if (!frame) return std::optional<Envelope>();
  EMEND_ASSIGN_OR_RETURN(Message message, DecodeMessage(frame->payload));
  NoteWelcome(message);
  return std::optional<Envelope>(Envelope{.store_epoch = frame->store_epoch,
                                          .generation = frame->generation,
                                          .message = std::move(message)});
}

}  // namespace emend::worker::protocol
