// Status and Result<T>: how every emend function reports failure.
//
// A Status is "ok", or a canonical code, a stable slug and a message for a person. The code says
// what kind of failure it is (and is mapped to an HTTP status in exactly one table,
// api/rest/problem.cc); the slug is the machine-readable reason that clients may switch on
// ("stale_head", "edit_not_separable"); the message says what was attempted, on which id, what was
// found, what was expected and what to do next.
//
//   Result<CommitId> head = refs.Read("main");
//   if (!head.ok()) return head.status();
//   EMEND_ASSIGN_OR_RETURN(Commit commit, ReadCommit(*head));
//
// Thread-safety: values; safe to copy between threads. Nothing here blocks or throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/base/check.h"

namespace emend {

// Numbers are written to disk and to the wire: never renumber, only append.
enum class StatusCode : std::uint8_t {
  kOk = 0,
  kInvalidArgument = 1,  // the request itself is wrong, whatever the state of the system
  kNotFound = 2,         // the named thing does not exist
  kAlreadyExists = 3,    // create of something that is there
  kConflict = 4,         // lost a compare-and-swap, or two edits want the same slot
  // refused by a rule or by the state of the thing; retrying alone will not help
  kFailedPrecondition = 5,
  kUnauthenticated = 6,    // no or a wrong token
  kPermissionDenied = 7,   // a known principal without the scope
  kResourceExhausted = 8,  // a bound was hit: queue, size, disk, memory
  kDeadlineExceeded = 9,   // the wait was bounded and ended
  kUnavailable = 10,       // a peer is not there; retry may help
  kCancelled = 11,         // the caller gave up
  kDataLoss = 12,          // stored or received bytes are not what was written
  kUnsupported = 13,       // well-formed, but not something this build or model family can do
  kInternal = 14,          // a bug of ours
};

// "invalid_argument", "not_found", ...: the default slug of a code.
std::string_view CodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  // REQUIRES: code is not kOk.
  Status(StatusCode code, std::string message);
  Status(StatusCode code, std::string slug, std::string message);

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  // Stable, lower_snake_case. The code's own name unless a finer one was given.
  const std::string& slug() const { return slug_; }
  const std::string& message() const { return message_; }

  // The same failure with "context: " put before the message; ok stays ok.
  Status WithContext(std::string_view context) const;
  // "slug: message", or "ok".
  std::string ToString() const;

  friend bool operator==(const Status&, const Status&) = default;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string slug_;
  std::string message_;
};

inline Status OkStatus() { return Status(); }
inline Status InvalidArgument(std::string message) {
  return {StatusCode::kInvalidArgument, std::move(message)};
}
inline Status NotFound(std::string message) { return {StatusCode::kNotFound, std::move(message)}; }
inline Status Conflict(std::string message) { return {StatusCode::kConflict, std::move(message)}; }
inline Status FailedPrecondition(std::string message) {
  return {StatusCode::kFailedPrecondition, std::move(message)};
}
inline Status ResourceExhausted(std::string message) {
  return {StatusCode::kResourceExhausted, std::move(message)};
}
inline Status Unavailable(std::string message) {
  return {StatusCode::kUnavailable, std::move(message)};
}
inline Status DataLoss(std::string message) { return {StatusCode::kDataLoss, std::move(message)}; }
inline Status Unsupported(std::string message) {
  return {StatusCode::kUnsupported, std::move(message)};
}
inline Status Internal(std::string message) { return {StatusCode::kInternal, std::move(message)}; }

// Either a value or a failed Status.
template <typename T>
class [[nodiscard]] Result {
 public:
  // NOLINT(google-explicit-constructor): `return value;` is the point
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    EMEND_CHECK(!status_.ok(), "a Result was built from an ok Status, without a value");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // REQUIRES: ok().
  T& value() & { return Get(); }
  const T& value() const& { return const_cast<Result*>(this)->Get(); }
  T&& value() && { return std::move(Get()); }
  T& operator*() & { return Get(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(Get()); }
  T* operator->() { return &Get(); }
  const T* operator->() const { return &value(); }

 private:
  T& Get() {
    EMEND_CHECK(value_.has_value(), "value of a failed Result was read: " + status_.ToString());
    return *value_;
  }

  Status status_;
  std::optional<T> value_;
};

}  // namespace emend

#define EMEND_CONCAT_INNER_(a, b) a##b
#define EMEND_CONCAT_(a, b) EMEND_CONCAT_INNER_(a, b)

// Leave the function with the Status of `expr` if that failed. The CO_ forms are for coroutines.
#define EMEND_RETURN_IF_ERROR_(keyword, name, expr) \
  do {                                              \
    if (auto name = (expr); !name.ok()) {           \
      keyword name;                                 \
    }                                               \
  } while (false)
#define EMEND_RETURN_IF_ERROR(expr) \
  EMEND_RETURN_IF_ERROR_(return, EMEND_CONCAT_(status_, __LINE__), expr)
#define EMEND_CO_RETURN_IF_ERROR(expr) \
  EMEND_RETURN_IF_ERROR_(co_return, EMEND_CONCAT_(status_, __LINE__), expr)

// `EMEND_ASSIGN_OR_RETURN(auto x, F());` declares x from the value of a Result, or leaves with its
// Status.
#define EMEND_ASSIGN_OR_RETURN_(keyword, name, lhs, expr) \
  auto name = (expr);                                     \
  if (!name.ok()) keyword name.status();                  \
  lhs = std::move(name).value()
#define EMEND_ASSIGN_OR_RETURN(lhs, expr) \
  EMEND_ASSIGN_OR_RETURN_(return, EMEND_CONCAT_(result_, __LINE__), lhs, expr)
#define EMEND_CO_ASSIGN_OR_RETURN(lhs, expr) \
  EMEND_ASSIGN_OR_RETURN_(co_return, EMEND_CONCAT_(result_, __LINE__), lhs, expr)
