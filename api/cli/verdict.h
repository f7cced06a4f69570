// Documents that say whether something is in order: exit codes and words. Inside this folder only.
#pragma once

#include <string>

#include "api/cli/verb.h"

namespace emend::api::cli {

// 1 where the document says that it is not ok.
inline int Verdict(const Json& result) {
  return result.is_object() && result.value("ok", false) ? kExitOk : kExitNo;
}

inline std::string PaintVerdict(const Session& session, const Json& result) {
  return Verdict(result) == kExitOk ? session.terminal().Paint("ok", Colour::kGreen)
                                    : session.terminal().Paint("NOT ok", Colour::kRed);
}

}  // namespace emend::api::cli
