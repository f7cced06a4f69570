// Guarded: runs a piece of libtorch work and turns what it throws into a Status, so that no exception leaves a folder.
//
//   return Guarded("scoring 1300 prompts", [&]() -> Result<Scores> { ... });
#pragma once

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "storage/base/status.h"

namespace emend::worker::model {

// `work` returns a Status or a Result. Out of memory is kResourceExhausted, anything else thrown kInternal; both name `what`.
template <typename Work>
auto Guarded(const std::string& what, Work&& work) -> decltype(work()) {
  try {
    return work();
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
