// Which verb a command line means, and what to say where it means none. Inside this folder only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/cli/verb.h"

namespace emend::api::cli {

struct Command {
  const Verb* verb = nullptr;      // null: no verb was given
  std::vector<std::string> words;  // everything but the verb's name
};

// The verb is the first word that is neither an option nor the value of a global one, alone or,
// where a noun has several, together with the next word; whatever comes later is an argument,
// whatever it is called. kInvalidArgument says what to type instead.
Result<Command> LookUp(const std::vector<std::string>& words);

// kInvalidArgument for a word that is no verb: what emend has for what git calls so, what a noun's
// verbs are, or the nearest.
Status UnknownVerb(const std::string& word);

}  // namespace emend::api::cli
