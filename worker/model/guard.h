// Guarded: runs a piece of libtorch work and turns what it throws into a Status, so that no
// exception leaves a folder.
//
//   return Guarded("scoring 1300 prompts", [&]() -> Result<Scores> { ... });
//
// Inside, a Status that must cross libtorch (a collective in the middle of a forward pass, or of
// autograd) travels as a StatusError and comes out as it was.
#pragma once

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>
#include <utility>

#include "storage/base/status.h"

namespace emend::worker::model {

class StatusError : public std::exception {
 public:
  explicit StatusError(Status status) : status_(std::move(status)), text_(status_.ToString()) {}
  const Status& status() const { return status_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  Status status_;
  std::string text_;
};

inline void ThrowIfError(const Status& status) {
  if (!status.ok()) throw StatusError(status);
}
template <typename T>
T ValueOrThrow(Result<T> result) {
  ThrowIfError(result.status());
  return std::move(result).value();
}

// `work` returns a Status or a Result. Out of memory is kResourceExhausted, anything else thrown
// kInternal; both name `what`.
template <typename Work>
auto Guarded(const std::string& what, Work&& work) -> decltype(work()) {
  try {
    return work();
  } catch (const StatusError& error) {
    return error.status().WithContext(what);
  } catch (const c10::OutOfMemoryError& error) {
    return ResourceExhausted(what + ": out of memory: " + error.what_without_backtrace());
  } catch (const c10::Error& error) {
    return Internal(what + ": libtorch failed: " + error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return ResourceExhausted(what + ": out of memory");
  } catch (const std::exception& error) {
    return Internal(what + ": " + error.what());
  }
}

}  // namespace emend::worker::model
