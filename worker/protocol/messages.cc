#include "worker/protocol/messages.h"

#include <array>
#include <type_traits>

#include "worker/protocol/joining_fields.h"
#include "worker/protocol/reply_fields.h"
#include "worker/protocol/request_fields.h"

namespace emend::worker::protocol {
namespace {

constexpr std::uint16_t kMessageVersion = 1;

// A variant is the kind of what it holds, then its fields.
template <typename... Bodies>
void WriteVariant(Encoder& out, const std::variant<Bodies...>& variant);
// False if no alternative has this kind.
template <typename... Bodies>
bool ReadVariant(Decoder& in, std::uint16_t kind, std::variant<Bodies...>& variant);

void WriteFields(Encoder& out, const Request& request) {
  out.U64(request.id);
  WriteVariant(out, request.body);
}

void ReadFields(Decoder& in, Request& request) {
  request.id = in.U64();
  const std::uint16_t kind = in.U16();
  if (in.ok() && !ReadVariant(in, kind, request.body))
    in.Fail("found request kind " + std::to_string(kind) + ", which is none");
}

void WriteFields(Encoder& out, const Response& response) {
  EMEND_CHECK(response.status.ok() == response.body.has_value(),
              "a response is either a reply or a failure");
  out.U64(response.id);
  out.U8(static_cast<std::uint8_t>(response.status.code()));
  if (response.body) {
    WriteVariant(out, *response.body);
    return;
  }
  out.Text(response.status.slug());
  out.Text(response.status.message());
}

void ReadFields(Decoder& in, Response& response) {
  response.id = in.U64();
  const std::uint8_t code = in.U8();
  if (!in.ok()) return;
  if (code == static_cast<std::uint8_t>(StatusCode::kOk)) {
    const std::uint16_t kind = in.U16();
    if (in.ok() && !ReadVariant(in, kind, response.body.emplace())) {
      in.Fail("found reply kind " + std::to_string(kind) + ", which is none");
    }
    return;
  }
  std::string slug = in.Text();
  std::string message = in.Text();
  if (code > static_cast<std::uint8_t>(StatusCode::kInternal)) {
    in.Fail("found status code " + std::to_string(code) + ", which is none");
    return;
  }
  response.status = Status(static_cast<StatusCode>(code), std::move(slug), std::move(message));
}

template <typename Message>
void WriteFields(Encoder& out, const Message& message) {
  MessageWriter writer(out);
  Visit(writer, const_cast<Message&>(message));  // Visit is shared with the reader
}

template <typename Message>
void ReadFields(Decoder& in, Message& message) {
  MessageReader reader(in);
  Visit(reader, message);
}

template <typename... Bodies>
void WriteVariant(Encoder& out, const std::variant<Bodies...>& variant) {
  std::visit(
      [&out](const auto& body) {
        const std::uint16_t kind = kKind<std::decay_t<decltype(body)>>;
        EMEND_CHECK(kind != 0, "a body without a kind was encoded");
        out.U16(kind);
        WriteFields(out, body);
      },
      variant);
}

template <typename... Bodies>
bool ReadVariant(Decoder& in, std::uint16_t kind, std::variant<Bodies...>& variant) {
  const auto read_if = [&]<typename Body>(std::type_identity<Body>) {
    if (kKind<Body> == 0 || kKind<Body> != kind) return false;
    ReadFields(in, variant.template emplace<Body>());
    return true;
  };
  return (read_if(std::type_identity<Bodies>()) || ...);
}

constexpr std::array<std::string_view, std::variant_size_v<RequestBody>> kRequestNames = {
    "load_base",    "ensure_state",     "put_edits",  "compute_statistics",
    "solve",        "evaluate",         "generate",   "digest_state",
    "sample_texts", "open_line",        "join_group", "follow",
    "complete",     "optimise_targets", "step_texts", "probe_ranks",
    "digest_tiles", "forget_base",      "publish",    "read_publication",
    "adopt_group"};

}  // namespace

std::string EncodeMessage(const Message& message) {
  Encoder out(RecordType::kMessage, kMessageVersion);
  WriteVariant(out, message);
  return std::move(out).bytes();
}

Result<Message> DecodeMessage(std::string_view bytes) {
  Decoder in(bytes);
  in.Record(RecordType::kMessage, kMessageVersion);
  const std::uint16_t kind = in.U16();
  Message message;
  if (in.ok() && !ReadVariant(in, kind, message))
    in.Fail("found message kind " + std::to_string(kind) + ", which is none");
  const Status whole = in.Finish();
  if (!whole.ok())
    return whole.WithContext("reading a message of " + std::to_string(bytes.size()) + " bytes");
  return message;
}

std::string_view RequestName(const RequestBody& body) { return kRequestNames[body.index()]; }

}  // namespace emend::worker::protocol
