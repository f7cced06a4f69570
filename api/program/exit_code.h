// Exit codes of every emend program; `emend help exit-codes` prints them. Kept stable.
#pragma once

#include "storage/base/reason.h"

namespace emend::api::program {

namespace exit_codes {
enum ExitCode : int {
  kExitOk = 0,
  kExitNo = 1,  // it worked, and the answer is no: verify or fsck found problems, a requirement was
                // not met
  kExitUsage = 2,  // the command, a file or a value in it is wrong
  kExitNotFound = 3,
  kExitConflict = 4,     // somebody was faster, or it exists already
  kExitRefused = 5,      // no token, no permission, a rule, a bound, not supported
  kExitUnreachable = 6,  // no server, no worker, no answer in time
  kExitInternal = 7,     // a bug, or stored bytes that are not what was written
};
}  // namespace exit_codes

inline int ExitCodeOf(const Status& status) {
  using namespace exit_codes;
  if (ReasonOf(status) == Reason::kRequirementNotMet) return kExitNo;
  switch (status.code()) {
    case StatusCode::kOk: return kExitOk;
    case StatusCode::kInvalidArgument: return kExitUsage;
    case StatusCode::kNotFound: return kExitNotFound;
    case StatusCode::kAlreadyExists:
    case StatusCode::kConflict: return kExitConflict;
    case StatusCode::kFailedPrecondition:
    case StatusCode::kUnauthenticated:
    case StatusCode::kPermissionDenied:
    case StatusCode::kResourceExhausted:
    case StatusCode::kCancelled:
    case StatusCode::kUnsupported: return kExitRefused;
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kUnavailable: return kExitUnreachable;
    case StatusCode::kDataLoss:
    case StatusCode::kInternal: return kExitInternal;
  }
  return kExitInternal;
}

}  // namespace emend::api::program
