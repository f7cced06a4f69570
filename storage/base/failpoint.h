// Failpoints: named places where a test makes the program die, fail or wait.
//
//   // in a function that returns Status or Result<T>
//   EMEND_FAILPOINT("history.commit.before_batch");
//
// They are armed by the environment before start:
// EMEND_FAILPOINT=name:nth:action[,name:nth:action...], action one of
//   abort  kill -9 of this process
//   error  return kInternal with the slug "failpoint"
//   sleep  wait two seconds
// at the nth (from 1) passing of that name; or from a test by ArmFailpoints. Unarmed, a failpoint
// is one relaxed load. Thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend {

// Replaces what is armed by `spec` (the grammar above; empty disarms). kInvalidArgument names the
// part that is wrong and changes nothing.
Status ArmFailpoints(std::string_view spec);
// Every name passed so far in this process while recording was on: lets a test prove that it covers
// all.
void RecordFailpoints(bool on);  // NOLINT: a switch for tests
std::vector<std::string> RecordedFailpoints();

namespace internal {
Status PassFailpoint(std::string_view name);
}  // namespace internal

}  // namespace emend

#define EMEND_FAILPOINT(name) EMEND_RETURN_IF_ERROR(::emend::internal::PassFailpoint(name))
