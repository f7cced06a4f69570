#include "storage/base/status.h"

namespace emend {

std::string_view CodeName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk: return "ok";
    case StatusCode::kInvalidArgument: return "invalid_argument";
    case StatusCode::kNotFound: return "not_found";
    case StatusCode::kAlreadyExists: return "already_exists";
    case StatusCode::kConflict: return "conflict";
    case StatusCode::kFailedPrecondition: return "failed_precondition";
    case StatusCode::kUnauthenticated: return "unauthenticated";
    case StatusCode::kPermissionDenied: return "permission_denied";
    case StatusCode::kResourceExhausted: return "resource_exhausted";
    case StatusCode::kDeadlineExceeded: return "deadline_exceeded";
    case StatusCode::kUnavailable: return "unavailable";
    case StatusCode::kCancelled: return "cancelled";
    case StatusCode::kDataLoss: return "data_loss";
    case StatusCode::kUnsupported: return "unsupported";
    case StatusCode::kInternal: return "internal";
  }
  return "internal";
}

Status::Status(StatusCode code, std::string message)
    : Status(code, std::string(CodeName(code)), std::move(message)) {}

Status::Status(StatusCode code, std::string slug, std::string message)
    : code_(code), slug_(std::move(slug)), message_(std::move(message)) {
  EMEND_CHECK(code != StatusCode::kOk, "a failed Status was built with the code ok");
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  return Status(code_, slug_, std::string(context) + ": " + message_);
}

std::string Status::ToString() const { return ok() ? "ok" : slug_ + ": " + message_; }

}  // namespace emend
