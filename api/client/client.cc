#include "api/client/client.h"

#include <cpprest/containerstream.h>
#include <cpprest/http_client.h>

namespace emend::api::client {
namespace {

namespace http = web::http;

Status Unreachable(const std::string& url, const std::string& what) {
  return {StatusCode::kUnavailable, "unreachable",
          "talking to " + url + ": " + what +
              "; is emendd running? Start it with `emend up --store DIR`, or name another one with "
              "--server"};
}

http::client::http_client_config Config(const ClientOptions& options) {
  http::client::http_client_config config;
  config.set_timeout(options.timeout);
  return config;
}

http::http_request BuildRequest(const Call& call, const std::string& token) {
  http::http_request request(call.method);
  request.set_request_uri(web::uri(call.path));
  if (!token.empty()) request.headers().add("Authorization", "Bearer " + token);
  for (const auto& [name, value] : call.headers) request.headers().add(name, value);
  if (!call.body.empty()) request.set_body(call.body, "application/json");
  return request;
}

std::string Header(const http::http_response& response, const std::string& name) {
  const auto found = response.headers().find(name);
  return found == response.headers().end() ? std::string() : found->second;
}

// A connection of its own for each request: the library gives a kept one that the server closed
// meanwhile a failure that looks like a lost request.
http::http_response Request(const ClientOptions& options, const Call& call) {
  http::client::http_client client(web::uri(options.url), Config(options));
  return client.request(BuildRequest(call, options.token)).get();
}

std::string BodyOf(const http::http_response& response) {
  return response.extract_utf8string(/*ignore_content_type=*/true).get();
}

// What the library throws, as a Status.
template <typename T, typename Act>
T Guarded(const ClientOptions& options, const Act& act) {
  try {
    return act();
  } catch (const http::http_exception& error) {
    if (error.error_code() == std::errc::timed_out) {
      return Status(StatusCode::kDeadlineExceeded,
                    "talking to " + options.url + ": no answer within " +
                        std::to_string(options.timeout.count()) + " s");
    }
    return Unreachable(options.url, error.what());
  } catch (const web::uri_exception& error) {
    return InvalidArgument("talking to \"" + options.url + "\": " + error.what());
  } catch (const std::exception& error) {
    return Unreachable(options.url, error.what());
  }
}

}  // namespace

struct Client::Impl {
  explicit Impl(ClientOptions given) : options(std::move(given)) {}
  ClientOptions options;
};

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Result<Reply> Client::Send(const Call& call) const {
  const ClientOptions& options = impl_->options;
  return Guarded<Result<Reply>>(options, [&]() -> Result<Reply> {
    const http::http_response response = Request(options, call);
    Reply reply{.http_status = response.status_code(),
                .body = BodyOf(response),
                .etag = Header(response, "ETag"),
                .operation_id = ""};
    if (reply.http_status >= 400) return StatusOfProblem(reply.http_status, reply.body);
    const std::string location = Header(response, "Location");
    reply.operation_id = location.substr(location.rfind('/') + 1);
    return reply;
  });
}

Status Client::Stream(const Call& call, const std::function<Status(const Event&)>& on_event) const {
  const ClientOptions& options = impl_->options;
  return Guarded<Status>(options, [&]() -> Status {
    const http::http_response response = Request(options, call);
    if (response.status_code() >= 400)
      return StatusOfProblem(response.status_code(), BodyOf(response));
    const concurrency::streams::istream body = response.body();
    Event event;
    while (true) {
      concurrency::streams::container_buffer<std::string> buffer;
      const std::size_t count = body.read_to_delim(buffer, '\n').get();
      const std::string& line = buffer.collection();
      if (count == 0 && body.is_eof()) return OkStatus();
      if (line.starts_with("event: ")) event.name = line.substr(7);
      if (line.starts_with("data: "))
        event.data += (event.data.empty() ? "" : "\n") + line.substr(6);
      if (!line.empty() || event.data.empty()) continue;
      if (event.name.empty()) event.name = "message";
      EMEND_RETURN_IF_ERROR(on_event(std::exchange(event, {})));
    }
  });
}

}  // namespace emend::api::client
