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
void WriteVariant(Encoder& out, std::uint16_t version, const std::variant<Bodies...>& variant);
// False if no alternative has this kind.
template <typename... Bodies>
bool ReadVariant(Decoder& in, std::uint16_t version, std::uint16_t kind,
                 std::variant<Bodies...>& variant);

void WriteFields(Encoder& out, std::uint16_t version, const Request& request) {
  out.U64(request.id);
  WriteVariant(out, version, request.body);
}

void ReadFields(Decoder& in, std::uint16_t version, Request& request) {
  request.id = in.U64();
  const std::uint16_t kind = in.U16();
  if (!in.ok() || ReadVariant(in, version, kind, request.body)) return;
  request.body = UnknownRequest{.kind = kind};
  in.Raw(in.remaining());
}

void WriteFields(Encoder& out, std::uint16_t version, const Response& response) {
  EMEND_CHECK(response.status.ok() == response.body.has_value(),
              "a response is either a reply or a failure");
  out.U64(response.id);
  out.U8(static_cast<std::uint8_t>(response.status.code()));
  if (response.body) {
    WriteVariant(out, version, *response.body);
    return;
  }
  out.Text(response.status.slug());
  out.Text(response.status.message());
}

void ReadFields(Decoder& in, std::uint16_t version, Response& response) {
  response.id = in.U64();
  const std::uint8_t code = in.U8();
  if (!in.ok()) return;
  if (code == static_cast<std::uint8_t>(StatusCode::kOk)) {
    const std::uint16_t kind = in.U16();
    if (in.ok() && !ReadVariant(in, version, kind, response.body.emplace())) {
      in.Fail("found reply kind " + std::to_string(kind) + ", which this build does not know");
    }
    return;
  }
  std::string slug = in.Text();
  std::string message = in.Text();
  // A code of a later release is a failure all the same.
  const StatusCode known = code <= static_cast<std::uint8_t>(StatusCode::kInternal)
                               ? static_cast<StatusCode>(code)
                               : StatusCode::kInternal;
  response.status = Status(known, std::move(slug), std::move(message));
}

template <typename Message>
void WriteFields(Encoder& out, std::uint16_t version, const Message& message) {
  MessageWriter writer(out, version);
  Visit(writer, const_cast<Message&>(message));  // Visit is shared with the reader
}

template <typename Message>
void ReadFields(Decoder& in, std::uint16_t version, Message& message) {
  MessageReader reader(in, version);
  Visit(reader, message);
}

template <typename... Bodies>
void WriteVariant(Encoder& out, std::uint16_t version, const std::variant<Bodies...>& variant) {
  std::visit(
      [&out, version](const auto& body) {
        const std::uint16_t kind = kKind<std::decay_t<decltype(body)>>;
        EMEND_CHECK(kind != 0, "a body without a kind was encoded");
        out.U16(kind);
        WriteFields(out, version, body);
      },
      variant);
}

template <typename... Bodies>
bool ReadVariant(Decoder& in, std::uint16_t version, std::uint16_t kind,
                 std::variant<Bodies...>& variant) {
  const auto read_if = [&]<typename Body>(std::type_identity<Body>) {
    if (kKind<Body> == 0 || kKind<Body> != kind) return false;
    ReadFields(in, version, variant.template emplace<Body>());
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
    "adopt_group",  "unknown"};

}  // namespace

std::uint16_t SinceVersion(const RequestBody& body) {
  const bool is_new =
      std::holds_alternative<Complete>(body) || std::holds_alternative<OptimiseTargets>(body) ||
      std::holds_alternative<StepTexts>(body) || std::holds_alternative<ProbeRanks>(body) ||
      std::holds_alternative<DigestTiles>(body) || std::holds_alternative<ForgetBase>(body) ||
      std::holds_alternative<Publish>(body) || std::holds_alternative<ReadPublication>(body) ||
      std::holds_alternative<AdoptGroup>(body);
  return is_new ? 2 : 1;
}

std::string EncodeMessage(const Message& message, std::uint16_t version) {
  Encoder out(RecordType::kMessage, kMessageVersion);
  WriteVariant(out, version, message);
  return std::move(out).bytes();
}

Result<Message> DecodeMessage(std::string_view bytes, std::uint16_t version) {
  Decoder in(bytes);
  in.Record(RecordType::kMessage, kMessageVersion);
  const std::uint16_t kind = in.U16();
  Message message;
  if (in.ok() && !ReadVariant(in, version, kind, message))
    in.Fail("found message kind " + std::to_string(kind) + ", which this build does not know");
  const Status whole = in.Finish();
  if (!whole.ok())
    return whole.WithContext("reading a message of " + std::to_string(bytes.size()) + " bytes");
  return message;
}

std::string_view RequestName(const RequestBody& body) { return kRequestNames[body.index()]; }

}  // namespace emend::worker::protocol
