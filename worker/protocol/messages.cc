#include "worker/protocol/messages.h"

#include <array>
#include <type_traits>
#include <utility>

#include "storage/base/archive.h"

namespace emend::worker::protocol {
namespace {

constexpr std::uint16_t kMessageVersion = 1;

constexpr auto kTraits = std::apply(
    [](const auto&... rows) { return std::array<RequestTraits, sizeof...(rows)>{rows.traits...}; },
    kRequests);

constexpr bool KindsRise() {
  for (std::size_t i = 1; i < kTraits.size(); ++i) {
    if (kTraits[i].kind <= kTraits[i - 1].kind) return false;
  }
  return kTraits[0].kind > 0;
}
static_assert(KindsRise(), "the rows of kRequests stand in the order of their kinds");

// Numbers of messages on the wire: never reused.
template <typename T>
struct MessageRow {
  std::uint16_t kind = 0;
};
constexpr std::tuple kMessages = {
    MessageRow<Hello>{1},     MessageRow<Welcome>{2}, MessageRow<Refuse>{3},
    MessageRow<Heartbeat>{4}, MessageRow<Request>{5}, MessageRow<Progress>{6},
    MessageRow<Response>{7},  MessageRow<Cancel>{8},  MessageRow<Piece>{9},
};

template <typename T>
void Write(Encoder& out, const T& message) {
  WriteFields(out, message);
}

void Write(Encoder& out, const Request& request) {
  out.U64(request.id);
  out.U16(TraitsOf(request.body).kind);
  std::visit([&out](const auto& body) { WriteFields(out, body); }, request.body);
}

void Write(Encoder& out, const Response& response) {
  EMEND_CHECK(response.status.ok() == response.body.has_value(),
              "a response is either a reply or a failure");
  out.U64(response.id);
  out.U8(static_cast<std::uint8_t>(response.status.code()));
  if (response.body) {
    out.U16(kTraits[response.body->index()].kind);
    std::visit([&out](const auto& body) { WriteFields(out, body); }, *response.body);
    return;
  }
  out.Text(response.status.slug());
  out.Text(response.status.message());
}

// The kind, and the body of this kind. The alternatives of `body` are in the order of kRequests.
template <typename... Bodies>
void ReadBody(Decoder& in, std::variant<Bodies...>& body) {
  const std::uint16_t kind = in.U16();
  if (!in.ok()) return;
  std::size_t row = 0;
  const auto read_if = [&]<typename Body>(std::type_identity<Body>) {
    if (kTraits[row++].kind != kind) return false;
    ReadFields(in, body.template emplace<Body>());
    return true;
  };
  if (!(read_if(std::type_identity<Bodies>()) || ...))
    in.Fail("found kind " + std::to_string(kind) + ", which no request has");
}

template <typename T>
void Read(Decoder& in, T& message) {
  ReadFields(in, message);
}

void Read(Decoder& in, Request& request) {
  request.id = in.U64();
  ReadBody(in, request.body);
}

void Read(Decoder& in, Response& response) {
  response.id = in.U64();
  const std::uint8_t code = in.U8();
  if (!in.ok()) return;
  if (code == static_cast<std::uint8_t>(StatusCode::kOk)) {
    ReadBody(in, response.body.emplace());
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

template <typename T>
bool ReadIf(MessageRow<T> row, std::uint16_t kind, Decoder& in, Message& message) {
  if (row.kind != kind) return false;
  Read(in, message.emplace<T>());
  return true;
}

}  // namespace

const RequestTraits& TraitsOf(const RequestBody& request) { return kTraits[request.index()]; }

std::string EncodeMessage(const Message& message) {
  Encoder out(RecordType::kMessage, kMessageVersion);
  std::visit(
      [&out]<typename T>(const T& body) {
        out.U16(std::get<MessageRow<T>>(kMessages).kind);
        Write(out, body);
      },
      message);
  return std::move(out).bytes();
}

Result<Message> DecodeMessage(std::string_view bytes) {
  Decoder in(bytes);
  in.Record(RecordType::kMessage, kMessageVersion);
  const std::uint16_t kind = in.U16();
  Message message;
  const bool is_known = std::apply(
      [&](const auto&... rows) { return (ReadIf(rows, kind, in, message) || ...); }, kMessages);
  if (!is_known) in.Fail("found message kind " + std::to_string(kind) + ", which is none");
  const Status whole = in.Finish();
  if (!whole.ok())
    return whole.WithContext("reading a message of " + std::to_string(bytes.size()) + " bytes");
  return message;
}

}  // namespace emend::worker::protocol
