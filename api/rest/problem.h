// Failures on the wire: the one table from status codes to HTTP statuses, and RFC 9457 documents.
//
//   {"type": "about:blank", "title": "Not found", "status": 404, "code": "not_found", "category":
//   "not_found", "detail": "...", "instance": "/api/v1/repos/x"}
//
// Behind /v1 there is also `error` with message, type, param and code, as clients of OpenAI's API
// expect it. `code` is the Status's slug, which clients may switch on; `category` its canonical
// code, so that a client can rebuild the Status. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/rest/message.h"
#include "storage/base/status.h"

namespace emend::api::rest {

// REQUIRES: !status.ok(). A slug may have a finer HTTP status than its code: stale_head is 412,
// other conflicts are 409.
int HttpStatusOf(const Status& status);
// The reason phrase: "Not Found".
std::string_view ReasonOf(int http_status);
Response ProblemResponse(const Status& status, std::string_view instance);

}  // namespace emend::api::rest
