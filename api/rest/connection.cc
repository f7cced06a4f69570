#include "api/rest/connection.h"

#include <poll.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <set>

#include "api/rest/problem.h"
#include "storage/base/log.h"

namespace emend::api::rest {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Parser = http::request_parser<http::string_body>;
using boost::system::error_code;

constexpr std::size_t kDrainBytesMax = std::size_t{64} << 20;
constexpr std::chrono::seconds kDrainTime{2};

auto Into(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

std::string Lower(beast::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

Status Malformed(const std::string& what) {
  return {StatusCode::kInvalidArgument, "malformed_request", "reading the request: " + what};
}

// What a parser's refusal means for the client; ok if there is nobody to tell.
Status StatusOfReadError(const error_code& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return {StatusCode::kResourceExhausted, "headers_too_large",
            "reading the request's header: it is longer than " + std::to_string(kHeaderBytesMax) +
                " bytes"};
  }
  if (error == http::error::body_limit)
    return {StatusCode::kResourceExhausted, "body_too_large",
            "reading the request's body: it is longer than this route takes"};
  if (error == http::error::bad_version)
    return {StatusCode::kUnsupported, "http_version",
            "reading the request's first line: expected HTTP/1.1 or HTTP/1.0"};
  if (error == http::error::end_of_stream) return OkStatus();
  if (error.category() == http::make_error_code(http::error::bad_method).category())
    return Malformed(error.message());
  return OkStatus();
}

// Fields that mean something once: twice, two readers of the same bytes could disagree on what was
// asked.
bool IsSingle(const std::string& name) {
  static const std::set<std::string> kSingle = {
      "host",          "content-length", "transfer-encoding",
      "authorization", "content-type",   "content-encoding",
      "if-match",      "if-none-match",  "idempotency-key",
      "last-event-id", "expect"};
  return kSingle.contains(name);
}

// The rules of RFC 9112 that keep a proxy in front and this server of one mind about where a
// request ends.
Status CheckFraming(const Parser& parser, const HeaderMap& headers) {
  const auto length = headers.find("content-length");
  if (length != headers.end() && (length->second.empty() || length->second.find_first_not_of(
                                                                "0123456789") != std::string::npos))
    return Malformed("Content-Length is no number");
  const unsigned version = parser.get().version();
  if (version != 11 && version != 10)
    return {StatusCode::kUnsupported, "http_version",
            "reading the request's first line: expected HTTP/1.1 or HTTP/1.0"};
  if (version == 11 && !headers.contains("host")) return Malformed("the field Host is missing");
  const auto coding = headers.find("transfer-encoding");
  if (coding == headers.end()) return OkStatus();
  if (headers.contains("content-length"))
    return Malformed("both Content-Length and Transfer-Encoding were sent");
  if (version == 10) return Malformed("Transfer-Encoding was sent with HTTP/1.0");
  if (Lower(coding->second) != "chunked")
    return {StatusCode::kUnsupported, "transfer_coding",
            "reading the request's header: the only transfer coding known here is chunked"};
  return OkStatus();
}

Result<Head> ReadHead(const Parser& parser) {
  const auto& message = parser.get();
  Head head{.method = std::string(message.method_string()),
            .target = std::string(message.target()),
            .headers = {}};
  for (const auto& field : message) {
    const std::string name = Lower(field.name_string());
    const auto [place, is_new] = head.headers.emplace(name, std::string(field.value()));
    if (is_new) continue;
    if (IsSingle(name)) return Malformed("the field " + name + " comes twice");
    place->second += ", " + std::string(field.value());
  }
  EMEND_RETURN_IF_ERROR(CheckFraming(parser, head.headers));
  return head;
}

// A field that goes on in the next line: readers differ in what they make of it.
bool HasFoldedField(std::string_view head) {
  return head.find("\r\n ") != std::string_view::npos ||
         head.find("\r\n\t") != std::string_view::npos;
}

std::string_view BufferedBytes(const Connection& connection) {
  const auto bytes = connection.buffer.cdata();
  return {static_cast<const char*>(bytes.data()), bytes.size()};
}

// Until the whole head is in the buffer, where it can be seen as it was sent. Ok: it is for the
// parser to read, a head that is too long too; kCancelled: nobody is left to be answered.
// Asio waits for ever if it reads again after the end of what a client sends.
Awaitable<Status> ReadHeadBytes(Connection* connection) {
  error_code error;
  while (true) {
    const std::string_view bytes = BufferedBytes(*connection);
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end != std::string_view::npos) {
      if (HasFoldedField(bytes.substr(0, end)))
        co_return Malformed("a field of the header goes on in the next line");
      co_return OkStatus();
    }
    connection->ended = error == asio::error::eof;
    if (connection->ended && !bytes.empty()) co_return Malformed("it ends inside the header");
    if (error) co_return Status(StatusCode::kCancelled, "reading the request: " + error.message());
    if (bytes.size() >= kHeaderBytesMax) co_return OkStatus();
    const std::size_t room = 2 * kHeaderBytesMax - bytes.size();
    const std::size_t count = co_await connection->stream.async_read_some(
        connection->buffer.prepare(std::min<std::size_t>(room, 4096)), Into(error));
    connection->buffer.commit(count);
  }
}

template <typename Message>
void FillHeader(Message& message, const Response& response, bool keep_alive) {
  message.result(static_cast<unsigned>(response.status));
  const std::string_view reason = ReasonOf(response.status);
  message.reason({reason.data(), reason.size()});
  message.set(http::field::server, "emend");
  message.set(http::field::cache_control, "no-store");
  message.set("X-Content-Type-Options", "nosniff");
  if (!response.content_type.empty()) message.set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) {
    EMEND_CHECK(value.find_first_of("\r\n") == std::string::npos,
                "a response header holds a line break");
    message.set(name, value);
  }
  message.keep_alive(keep_alive);
}

// One request and what is known of it so far.
struct Exchange {
  Parser parser;
  unsigned version = 11;
  bool is_head = false;
  bool keep_alive = false;
};

Awaitable<bool> WriteResponse(Connection* connection, Exchange* exchange, Response response) {
  error_code error;
  if (exchange->is_head || response.status == 204) {
    http::response<http::empty_body> message;
    message.version(exchange->version);
    FillHeader(message, response, exchange->keep_alive);
    if (response.status != 204) message.content_length(response.body.size());
    co_await http::async_write(connection->stream, message, Into(error));
  } else {
    http::response<http::string_body> message;
    message.version(exchange->version);
    FillHeader(message, response, exchange->keep_alive);
    message.body() = std::move(response.body);
    message.content_length(message.body().size());
    co_await http::async_write(connection->stream, message, Into(error));
  }
  co_return !error;
}

// It has closed its side. One that only ends its own sending, which HTTP clients do not do, is
// taken for gone too.
bool ClientLeft(Connection* connection) {
  pollfd polled{
      .fd = connection->stream.socket().native_handle(), .events = POLLRDHUP, .revents = 0};
  return poll(&polled, 1, 0) == 1 && (polled.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

class ChunkSink final : public EventSink {
 public:
  ChunkSink(Connection* connection, const HandlerContext* context,
            std::chrono::milliseconds timeout, bool chunked)
      : connection_(connection), context_(context), timeout_(timeout), chunked_(chunked) {}

  Awaitable<Status> Send(std::string bytes) override {
    error_code error;
    connection_->stream.expires_after(timeout_);
    if (chunked_) {
      co_await asio::async_write(connection_->stream, http::make_chunk(asio::buffer(bytes)),
                                 Into(error));
    } else {
      co_await asio::async_write(connection_->stream, asio::buffer(bytes), Into(error));
    }
    // The deadline is for writing: between two events the stream may be silent for as long as it
    // likes.
    connection_->stream.expires_never();
    if (error) co_return Unavailable("sending an event: " + error.message());
    co_return OkStatus();
  }
  bool stopping() const override { return context_->stopping; }
  bool client_left() const override { return ClientLeft(connection_); }

 private:
  Connection* connection_;
  const HandlerContext* context_;
  std::chrono::milliseconds timeout_;
  bool chunked_;
};

// Counted for as long as it lives.
class StreamPlace {
 public:
  StreamPlace(HandlerContext* context, std::string token)
      : context_(context), token_(std::move(token)) {
    ++context_->streams.all;
    ++context_->streams.of_token[token_];
  }
  ~StreamPlace() {
    --context_->streams.all;
    if (--context_->streams.of_token[token_] == 0) context_->streams.of_token.erase(token_);
  }
  StreamPlace(const StreamPlace&) = delete;
  StreamPlace& operator=(const StreamPlace&) = delete;

 private:
  HandlerContext* context_;
  const std::string token_;
};

Status CheckStreams(const HandlerContext& context, const std::string& token,
                    const RestOptions& options) {
  const auto own = context.streams.of_token.find(token);
  const std::size_t count = own == context.streams.of_token.end() ? 0 : own->second;
  if (context.streams.all < options.streams_max && count < options.streams_of_token_max)
    return OkStatus();
  return {StatusCode::kResourceExhausted, "too_many_streams",
          "opening an event stream: " + std::to_string(context.streams.all) + " are open, " +
              std::to_string(count) + " of this token, at most " +
              std::to_string(options.streams_max) + " and " +
              std::to_string(options.streams_of_token_max) + ": close one, or ask again later"};
}

Status TooManyConnections() {
  return {StatusCode::kResourceExhausted, "too_many_connections",
          "all connections are taken, and on this spare one only probes are answered, and one "
          "client at a time that neither waits nor streams: try again later"};
}

// Takes the place of somebody with a token on a spare connection, for as long as it lives.
class SpareGuest {
 public:
  SpareGuest(HandlerContext* context, bool is_needed) : context_(is_needed ? context : nullptr) {
    if (context_ != nullptr) context_->has_spare_guest = true;
  }
  ~SpareGuest() {
    if (context_ != nullptr) context_->has_spare_guest = false;
  }
  SpareGuest(const SpareGuest&) = delete;
  SpareGuest& operator=(const SpareGuest&) = delete;

 private:
  HandlerContext* context_;
};

bool IsPublic(const Request& request) { return request.route->scope.value() == Scope::kPublic; }

bool FitsSpare(const HandlerContext& context, const Request& request) {
  if (IsPublic(request)) return true;
  return !context.has_spare_guest && request.route->answer.streams == Streams::kNever &&
         !request.Has("wait");
}

Awaitable<void> WriteStream(Connection* connection, Exchange* exchange, HandlerContext* context,
                            std::chrono::milliseconds timeout, Response response) {
  error_code error;
  const bool chunked = exchange->version == 11;
  http::response<http::empty_body> message;
  message.version(exchange->version);
  FillHeader(message, response, /*keep_alive=*/false);
  message.chunked(chunked);
  http::response_serializer<http::empty_body> serializer(message);
  co_await http::async_write_header(connection->stream, serializer, Into(error));
  if (error) co_return;
  ChunkSink sink(connection, context, timeout, chunked);
  const Status status = co_await response.stream(&sink);
  if (!status.ok()) LogDebug("event_stream_ended", {{"status", status}});
  connection->stream.expires_after(timeout);
  if (chunked && status.ok())
    co_await asio::async_write(connection->stream, http::make_chunk_last(), Into(error));
}

// Closes so that the client gets to read the answer even while it is still sending: a close with
// unread bytes would be a reset.
Awaitable<void> CloseGently(Connection* connection) {
  error_code error;
  connection->stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  // A spare connection is soon needed by somebody else.
  if (!connection->unread || connection->ended || connection->is_spare) co_return;
  connection->stream.expires_after(kDrainTime);
  std::array<char, 16 * 1024> scratch;
  std::size_t drained = 0;
  while (!error && drained < kDrainBytesMax)
    drained += co_await connection->stream.async_read_some(asio::buffer(scratch), Into(error));
}

Awaitable<bool> WriteProblem(Connection* connection, Exchange* exchange, Status status) {
  exchange->keep_alive = false;
  connection->unread = true;
  co_await WriteResponse(connection, exchange, ProblemResponse(status, ""));
  co_return false;
}

// Reads the rest of the request, having said that it is welcome. False: the connection is over.
Awaitable<bool> ReadBody(Connection* connection, Exchange* exchange, const Admission* admission,
                         std::chrono::milliseconds timeout) {
  Parser& parser = exchange->parser;
  const auto length = parser.content_length();
  const bool has_body = parser.chunked() || (length && *length > 0);
  const std::size_t bytes_max = admission->body_bytes_max;
  if (has_body && (bytes_max == 0 || (length && *length > bytes_max))) {
    Status too_large(StatusCode::kResourceExhausted, "body_too_large",
                     "reading the request's body: this route takes at most " +
                         std::to_string(bytes_max) + " bytes");
    co_return co_await WriteProblem(connection, exchange, std::move(too_large));
  }
  parser.body_limit(bytes_max);
  error_code error;
  connection->stream.expires_after(timeout);
  if (has_body && admission->expects_continue) {
    constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await asio::async_write(connection->stream, asio::buffer(kContinue), Into(error));
  }
  if (!error && !parser.is_done())
    co_await http::async_read(connection->stream, connection->buffer, parser, Into(error));
  if (!error) co_return true;
  const Status status = StatusOfReadError(error);
  if (!status.ok()) co_await WriteProblem(connection, exchange, status);
  co_return false;
}

// False: the connection is over, after its answer was written.
Awaitable<bool> AnswerAdmitted(Connection* connection, Exchange* exchange, HandlerContext* context,
                               const RestOptions* options, Admission admission) {
  const SpareGuest guest(context, connection->is_spare && !IsPublic(admission.request));
  const bool whole = co_await ReadBody(connection, exchange, &admission, options->body_timeout);
  if (!whole) co_return false;
  connection->stream.expires_never();
  admission.request.body = std::move(exchange->parser.get().body());
  admission.request.client_left = [connection] { return ClientLeft(connection); };
  const std::string token = admission.request.caller.principal.token_id;
  const std::string path = admission.request.path;
  Response response = co_await Handle(context, std::move(admission.request));
  connection->stream.expires_after(options->write_timeout);
  if (response.stream && !exchange->is_head) {
    const Status room = CheckStreams(*context, token, *options);
    if (room.ok()) {
      const StreamPlace place(context, token);
      co_await WriteStream(connection, exchange, context, options->write_timeout,
                           std::move(response));
      co_return false;
    }
    response = ProblemResponse(room, path);
  }
  exchange->keep_alive = exchange->keep_alive && !context->stopping;
  const bool written = co_await WriteResponse(connection, exchange, std::move(response));
  co_return written && exchange->keep_alive;
}

// False: the connection is over, after its answer was written.
Awaitable<bool> AnswerOne(Connection* connection, Exchange* exchange, HandlerContext* context,
                          const RestOptions* options) {
  Result<Head> head = ReadHead(exchange->parser);
  exchange->version = exchange->parser.get().version() == 10 ? 10 : 11;
  connection->stream.expires_after(options->write_timeout);
  if (!head.ok()) co_return co_await WriteProblem(connection, exchange, head.status());
  exchange->is_head = head->method == "HEAD";
  auto decision = co_await Admit(context, std::move(*head));
  const bool has_body =
      exchange->parser.chunked() || exchange->parser.content_length().value_or(0) > 0;
  exchange->keep_alive =
      exchange->parser.keep_alive() && !context->stopping && !connection->is_spare;
  if (const auto* admission = std::get_if<Admission>(&decision);
      admission != nullptr && connection->is_spare && !FitsSpare(*context, admission->request))
    decision = ProblemResponse(TooManyConnections(), admission->request.path);
  if (auto* refusal = std::get_if<Response>(&decision)) {
    // The body was not read: what follows on this connection cannot be told from it.
    exchange->keep_alive = exchange->keep_alive && !has_body;
    connection->unread = has_body;
    connection->stream.expires_after(options->write_timeout);
    const bool written = co_await WriteResponse(connection, exchange, std::move(*refusal));
    co_return written && exchange->keep_alive;
  }
  co_return co_await AnswerAdmitted(connection, exchange, context, options,
                                    std::move(std::get<Admission>(decision)));
}

}  // namespace

Awaitable<Status> Serve(std::shared_ptr<Connection> connection, HandlerContext* context,
                        RestOptions options) {
  bool open = true;
  while (open && !context->stopping) {
    Exchange exchange;
    exchange.parser.header_limit(kHeaderBytesMax);
    exchange.parser.body_limit(kBulkBytesMax);
    connection->idle = true;
    connection->stream.expires_after(options.header_timeout);
    const Status head = co_await ReadHeadBytes(connection.get());
    if (head.code() == StatusCode::kCancelled) break;
    if (!head.ok()) {
      connection->idle = false;
      co_await WriteProblem(connection.get(), &exchange, head);
      break;
    }
    error_code error;
    co_await http::async_read_header(connection->stream, connection->buffer, exchange.parser,
                                     Into(error));
    connection->idle = false;
    if (error) {
      const Status status = StatusOfReadError(error);
      if (status.ok()) break;
      connection->stream.expires_after(options.write_timeout);
      open = co_await WriteProblem(connection.get(), &exchange, status);
    } else {
      open = co_await AnswerOne(connection.get(), &exchange, context, &options);
    }
  }
  co_await CloseGently(connection.get());
  co_return OkStatus();
}

}  // namespace emend::api::rest
