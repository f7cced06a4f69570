#include "api/rest/problem.h"

#include <nlohmann/json.hpp>

namespace emend::api::rest {
namespace {

struct Row {
  StatusCode code;
  std::string_view slug;  // empty: every slug of the code that has no row of its own
  int http_status;
  std::string_view title;
};

// Rows with a slug stand before the row of their code.
constexpr Row kTable[] = {
    {StatusCode::kInvalidArgument, "malformed_request", 400, "Malformed request"},
    {StatusCode::kInvalidArgument, "malformed_json", 400, "Malformed JSON"},
    {StatusCode::kInvalidArgument, "unknown_parameter", 400, "Unknown parameter"},
    {StatusCode::kInvalidArgument, "bad_parameter", 400, "Bad parameter"},
    {StatusCode::kInvalidArgument, "unsupported_media_type", 415, "Unsupported media type"},
    {StatusCode::kInvalidArgument, "", 422, "Invalid argument"},
    {StatusCode::kNotFound, "", 404, "Not found"},
    {StatusCode::kAlreadyExists, "", 409, "Already exists"},
    {StatusCode::kConflict, "stale_head", 412, "The ref has moved"},
    {StatusCode::kConflict, "", 409, "Conflict"},
    {StatusCode::kFailedPrecondition, "precondition_required", 428, "Precondition required"},
    {StatusCode::kFailedPrecondition, "", 409, "Refused in this state"},
    {StatusCode::kUnauthenticated, "", 401, "Not authenticated"},
    {StatusCode::kPermissionDenied, "", 403, "Not permitted"},
    {StatusCode::kResourceExhausted, "body_too_large", 413, "Body too large"},
    {StatusCode::kResourceExhausted, "headers_too_large", 431, "Headers too large"},
    {StatusCode::kResourceExhausted, "too_many_connections", 503, "Too many connections"},
    {StatusCode::kResourceExhausted, "", 429, "A bound was reached"},
    {StatusCode::kDeadlineExceeded, "", 504, "Deadline exceeded"},
    {StatusCode::kUnavailable, "", 503, "Not available"},
    {StatusCode::kCancelled, "", 409, "Cancelled"},
    {StatusCode::kDataLoss, "", 500, "Stored bytes are not what was written"},
    {StatusCode::kUnsupported, "unknown_method", 422, "Invalid argument"},
    {StatusCode::kUnsupported, "method_not_allowed", 405, "Method not allowed"},
    {StatusCode::kUnsupported, "http_version", 505, "HTTP version not supported"},
    {StatusCode::kUnsupported, "", 501, "Not supported"},
    {StatusCode::kInternal, "", 500, "Internal error"},
};

const Row& RowOf(const Status& status) {
  for (const Row& row : kTable) {
    if (row.code == status.code() && (row.slug.empty() || row.slug == status.slug())) return row;
  }
  EMEND_CHECK(false, "no row of the problem table fits " + status.ToString());
}

constexpr std::size_t kDetailBytesMax = 4096;

// The field that a message begins with, "at /stop/0: ..." (docs/reference/rest.md), or null.
nlohmann::ordered_json FieldOf(std::string_view message) {
  constexpr std::string_view kAt = "at /";
  if (!message.starts_with(kAt)) return nullptr;
  message.remove_prefix(kAt.size());
  return message.substr(0, message.find_first_of("/:"));
}

}  // namespace

int HttpStatusOf(const Status& status) { return RowOf(status).http_status; }

Response ProblemResponse(const Status& status, std::string_view instance) {
  const Row& row = RowOf(status);
  // Whatever is said of what somebody sent, an answer stays short.
  std::string detail(status.message().substr(0, kDetailBytesMax));
  if (status.message().size() > kDetailBytesMax) detail += "...";
  nlohmann::ordered_json json;
  json["type"] = "about:blank";
  json["title"] = row.title;
  json["status"] = row.http_status;
  json["code"] = status.slug();
  json["category"] = CodeName(status.code());
  json["detail"] = detail;
  json["instance"] = instance;
  // Clients of OpenAI's API look here.
  if (instance.starts_with("/v1/"))
    json["error"] = {{"message", detail},
                     {"type", CodeName(status.code())},
                     {"param", FieldOf(status.message())},
                     {"code", status.slug()}};
  Response response{.status = row.http_status,
                    .content_type = "application/problem+json",
                    .body = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                    .headers = {},
                    .stream = {}};
  if (row.http_status == 401)
    response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"emend\"");
  if (row.http_status == 429 || row.http_status == 503)
    response.headers.emplace_back("Retry-After", "1");
  return response;
}

std::string_view ReasonOf(int http_status) {
  switch (http_status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Internal Server Error";
  }
}

}  // namespace emend::api::rest
