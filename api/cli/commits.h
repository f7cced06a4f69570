// Commits and facts as people read them, for the verbs that show history. Inside this folder only.
#pragma once

#include <string>

#include "api/cli/session.h"

namespace emend::api::cli {

// `names` are what points to it: "main, tag: v1".
void ShowLogEntry(const Session& session, const Json& commit, const std::string& names,
                  bool oneline);

// The fact's prompt as one would ask it.
std::string QuestionOf(const Json& fact);

// How many there are of something that a result lists, or counts.
long CountOf(const Json& result, const char* name);

}  // namespace emend::api::cli
