// The reports of a long request: passed on to whoever called, and asked whether it goes on.
#pragma once

#include <cstdint>
#include <string_view>

#include "worker/edit/progress.h"
#include "worker/eval/score.h"
#include "worker/server/requests.h"

namespace emend::worker::server {

// `context` must outlive them.
inline edit::ProgressFunction EditProgress(const Context& context) {
  return [&context](const edit::ProgressReport& report) {
    context.call.progress(report.phase, static_cast<std::uint64_t>(report.done),
                          static_cast<std::uint64_t>(report.total));
    return context.between.StillWanted(context.call);
  };
}
inline eval::ProgressFunction EvalProgress(const Context& context, std::string_view phase) {
  return [&context, phase](std::int64_t done, std::int64_t total) {
    context.call.progress(phase, static_cast<std::uint64_t>(done),
                          static_cast<std::uint64_t>(total));
    return context.between.StillWanted(context.call);
  };
}

}  // namespace emend::worker::server
