// The verbs of `emend`, in the order in which help shows them. Inside api/cli only.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/cli/verb.h"

namespace emend::api::cli {

std::span<const Verb> AllVerbs();
// Null if there is none of this name.
const Verb* FindVerb(std::string_view name);
std::vector<std::string> VerbNames();

// "start and stop"
std::string_view TitleOf(Group group);

}  // namespace emend::api::cli
