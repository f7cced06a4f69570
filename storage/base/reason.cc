#include "storage/base/reason.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace emend {
namespace {

struct Row {
  Reason reason;
  StatusCode code;
  std::string_view slug;
  unsigned retries = 0;
};

constexpr unsigned kResend = static_cast<unsigned>(Retry::kResend);
constexpr unsigned kElsewhere = static_cast<unsigned>(Retry::kElsewhere);
constexpr unsigned kRerun = static_cast<unsigned>(Retry::kRerun);
constexpr unsigned kRegroup = static_cast<unsigned>(Retry::kRegroup);

constexpr std::array kRows = {
    Row{Reason::kNoWorker, StatusCode::kUnavailable, "no_worker"},
    Row{Reason::kWorkerLost, StatusCode::kUnavailable, "worker_lost",
        kResend | kElsewhere | kRerun},
    Row{Reason::kBaseBusy, StatusCode::kUnavailable, "base_busy", kResend | kElsewhere},
    Row{Reason::kBaseNotLoaded, StatusCode::kFailedPrecondition, "base_not_loaded",
        kResend | kElsewhere | kRerun},
    Row{Reason::kStateNotLive, StatusCode::kFailedPrecondition, "state_not_live",
        kResend | kElsewhere | kRerun},
    Row{Reason::kLiveBytesDiffer, StatusCode::kDataLoss, "live_bytes_differ", kRerun},
    Row{Reason::kLiveBytesDamaged, StatusCode::kDataLoss, "live_bytes_damaged"},
    Row{Reason::kProtocolVersion, StatusCode::kUnsupported, "protocol_version"},
    Row{Reason::kGroupLost, StatusCode::kUnavailable, "group_lost", kElsewhere | kRegroup},
    Row{Reason::kCollectiveTimeout, StatusCode::kDeadlineExceeded, "collective_timeout",
        kElsewhere | kRegroup},
    Row{Reason::kCollectiveMismatch, StatusCode::kInternal, "collective_mismatch",
        kElsewhere | kRegroup},
    Row{Reason::kStaleHead, StatusCode::kConflict, "stale_head", kRerun},
    Row{Reason::kStagingLost, StatusCode::kUnavailable, "staging_lost", kRerun},
    Row{Reason::kBaseDamaged, StatusCode::kDataLoss, "base_damaged"},
    Row{Reason::kAnchorNotWritten, StatusCode::kUnavailable, "anchor_not_written"},
    Row{Reason::kBehindAnchor, StatusCode::kDataLoss, "behind_anchor"},
    Row{Reason::kAnchorCorrupt, StatusCode::kDataLoss, "anchor_corrupt"},
    Row{Reason::kIdempotentReplay, StatusCode::kAlreadyExists, "idempotent_replay"},
    Row{Reason::kRequirementNotMet, StatusCode::kFailedPrecondition, "requirement_not_met"},
    Row{Reason::kUnreachable, StatusCode::kUnavailable, "unreachable"},
    Row{Reason::kUnauthenticated, StatusCode::kUnauthenticated, "unauthenticated"},
};

}  // namespace

Reason ReasonOf(const Status& status) {
  if (status.ok()) return Reason::kNone;
  const auto row = std::ranges::find(kRows, status.slug(), &Row::slug);
  return row == kRows.end() ? Reason::kNone : row->reason;
}

bool Allows(const Status& status, Retry retry) {
  const auto row = std::ranges::find(kRows, ReasonOf(status), &Row::reason);
  return row != kRows.end() && (row->retries & static_cast<unsigned>(retry)) != 0;
}

Status Failure(Reason reason, std::string message) {
  const auto row = std::ranges::find(kRows, reason, &Row::reason);
  EMEND_CHECK(row != kRows.end(), "a failure was made of a reason without a row");
  return {row->code, std::string(row->slug), std::move(message)};
}

}  // namespace emend
