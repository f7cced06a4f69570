// Reason: what control flow may ask of a failure. Who waits, sends again or runs again decides by a
// Reason and its retry class, never by comparing texts.
//
//   if (ReasonOf(status) == Reason::kBaseBusy) ...
//   if (Allows(status, Retry::kRerun)) ...
//   return Failure(Reason::kStaleHead, "moving branch main: ...");
//
// One table (reason.cc) says each one's slug, code and retry classes. A failure that came over the
// wire or out of a record is a Status like any other: its slug says the reason. Slugs that no code
// of ours acts upon have no Reason. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "storage/base/status.h"

namespace emend {

enum class Reason : std::uint8_t {
  kNone,  // ok, or a failure that nobody tells apart
  // a worker and what it holds
  kNoWorker,
  kWorkerLost,
  kBaseBusy,
  kBaseNotLoaded,
  kStateNotLive,
  kLiveBytesDiffer,
  kLiveBytesDamaged,
  kProtocolVersion,
  // a group of ranks
  kGroupLost,
  kCollectiveTimeout,
  kCollectiveMismatch,
  // the store
  kStaleHead,
  kStagingLost,
  kBaseDamaged,
  kAnchorNotWritten,
  kBehindAnchor,
  kAnchorCorrupt,
  kIdempotentReplay,
  // a commit
  kRequirementNotMet,
  // a server
  kUnreachable,
  kUnauthenticated,
};

// Who may try again, and how.
enum class Retry : std::uint8_t {
  kResend = 1,     // the same call, once what it needs is in place again
  kElsewhere = 2,  // the same call, on another worker
  kRerun = 4,      // the whole operation, from its start
  kRegroup = 8,    // nothing on this group of ranks: it must form again
};

Reason ReasonOf(const Status& status);
bool Allows(const Status& status, Retry retry);
// A failure with the reason's code and slug.
Status Failure(Reason reason, std::string message);

}  // namespace emend
