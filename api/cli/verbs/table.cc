#include "api/cli/verbs/table.h"

#include <algorithm>
#include <array>

// A row for each verb; NameVerb() is in the verb's own file. Those of a group stand together.
#define EMEND_VERBS(ROW)                                                                         \
  ROW(Up)                                                                                        \
  ROW(Down)                                                                                      \
  ROW(Status)                                                                                    \
  ROW(Doctor) ROW(ModelInspect) ROW(Init) ROW(Stats) ROW(Commit) ROW(Revert) ROW(Reset) ROW(Ask) \
      ROW(Eval) ROW(Log) ROW(Show) ROW(Diff) ROW(Branch) ROW(Tag) ROW(Reflog) ROW(Export)        \
          ROW(Verify) ROW(Fsck) ROW(Repair) ROW(Operations) ROW(OperationsCancel) ROW(Audit)     \
              ROW(TokenCreate) ROW(TokenList) ROW(TokenRevoke) ROW(TokenNew) ROW(Version)        \
                  ROW(Completion) ROW(Help)

namespace emend::api::cli {
namespace verbs {
#define EMEND_DECLARE(name) Verb name##Verb();
EMEND_VERBS(EMEND_DECLARE)
#undef EMEND_DECLARE
}  // namespace verbs

std::span<const Verb> AllVerbs() {
#define EMEND_MAKE(name) verbs::name##Verb(),
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
    case Group::kAsk: return "ask and measure";
    case Group::kHistory: return "look at the history";
    case Group::kProof: return "take it out and prove it";
    case Group::kHouse: return "keep house";
  }
  return "";
}

}  // namespace emend::api::cli
