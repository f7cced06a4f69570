#include "api/cli/verbs/table.h"

#include <algorithm>
#include <array>

// A row for each verb, named as its file; those of a group stand together.
// clang-format off
#define EMEND_VERBS(ROW) \
  ROW(up) \
  ROW(down) \
  ROW(status) \
  ROW(doctor) \
  ROW(model_inspect) \
  ROW(model_synth) \
  ROW(init) \
  ROW(stats) \
  ROW(tune) \
  ROW(repo_remove) \
  ROW(commit) \
  ROW(revert) \
  ROW(refit) \
  ROW(reset) \
  ROW(merge) \
  ROW(protect) \
  ROW(propose) \
  ROW(proposals) \
  ROW(review) \
  ROW(probes) \
  ROW(ask) \
  ROW(eval) \
  ROW(log) \
  ROW(show) \
  ROW(diff) \
  ROW(facts) \
  ROW(blame) \
  ROW(branch) \
  ROW(tag) \
  ROW(reflog) \
  ROW(export) \
  ROW(verify) \
  ROW(fsck) \
  ROW(repair) \
  ROW(operations) \
  ROW(operations_cancel) \
  ROW(audit) \
  ROW(token_create) \
  ROW(token_list) \
  ROW(token_revoke) \
  ROW(token_new) \
  ROW(version) \
  ROW(completion) \
  ROW(help)
// clang-format on

namespace emend::api::cli {
#define EMEND_DECLARE(name)      \
  namespace verbs::name##_verb { \
    Verb Make();                 \
  }
EMEND_VERBS(EMEND_DECLARE)
#undef EMEND_DECLARE

std::span<const Verb> AllVerbs() {
#define EMEND_MAKE(name) verbs::name##_verb::Make(),
  static const std::array kVerbs = {EMEND_VERBS(EMEND_MAKE)};
#undef EMEND_MAKE
  return kVerbs;
}

const Verb* FindVerb(std::string_view name) {
  const auto verbs = AllVerbs();
  const auto found = std::ranges::find(verbs, name, &Verb::name);
  return found == verbs.end() ? nullptr : &*found;
}

std::vector<std::string> VerbNames() {
  std::vector<std::string> names;
  for (const Verb& verb : AllVerbs()) names.emplace_back(verb.name);
  return names;
}

std::string_view TitleOf(Group group) {
  switch (group) {
    case Group::kServe: return "start and stop";
    case Group::kModel: return "bring in a model";
    case Group::kEdit: return "change what it knows";
    case Group::kReview: return "agree on changes";
    case Group::kAsk: return "ask and measure";
    case Group::kHistory: return "look at the history";
    case Group::kProof: return "take it out and prove it";
    case Group::kHouse: return "keep house";
  }
  return "";
}

}  // namespace emend::api::cli
