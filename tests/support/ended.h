// A task without a result as one with one, for SimRuntime::Await:
//
//   sim.Await(Ended(worker->Stop()));
#pragma once

#include <utility>

#include "storage/base/runtime.h"

namespace emend::test {

inline Awaitable<bool> Ended(Awaitable<void> task) {
  co_await std::move(task);
  co_return true;
}

}  // namespace emend::test
