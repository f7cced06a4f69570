#include "api/cli/lookup.h"

#include <algorithm>
#include <array>

#include "api/cli/parse.h"
#include "api/cli/text.h"
#include "api/cli/verbs/table.h"

namespace emend::api::cli {
namespace {

// What emend has no use for, with what to type instead.
struct GitWord {
  std::string_view word;
  std::string_view instead;
};
constexpr std::string_view kNoWorkingCopy =
    "there is no working copy: every command names its REPO@BRANCH, such as `emend commit "
    "atlas@dev -F FACTS`; `emend branch REPO NAME` makes a branch";
constexpr std::string_view kNothingStaged =
    "nothing is staged: facts go from a file into a commit at once, `emend commit REPO -F FACTS`";
constexpr std::string_view kOneServer =
    "there are no remotes: every command speaks to one server, chosen with --server URL or "
    "--store DIR; `emend export REPO@REVISION -o DIR` takes a model out";
constexpr std::array kGitWords = {
    GitWord{"checkout", kNoWorkingCopy},
    GitWord{"switch", kNoWorkingCopy},
    GitWord{"worktree", kNoWorkingCopy},
    GitWord{"stash", kNothingStaged},
    GitWord{"add", kNothingStaged},
    GitWord{"restore",
            "nothing is staged: `emend revert REPO COMMIT` takes a commit's edits out, "
            "`emend reset REPO@BRANCH COMMIT` moves a branch"},
    GitWord{"clean", kNothingStaged},
    GitWord{"push", kOneServer},
    GitWord{"pull", kOneServer},
    GitWord{"fetch", kOneServer},
    GitWord{"remote", kOneServer},
    GitWord{"clone", "a model becomes a repo with `emend init REPO --model PATH`"},
    GitWord{"import", "a model becomes a repo with `emend init REPO --model PATH`"},
    GitWord{"rm",
            "`emend revert REPO COMMIT` takes a commit's edits out; `emend branch REPO NAME "
            "-d` and `emend tag REPO NAME -d` delete a branch or a tag"},
    GitWord{"mv",
            "a branch gets another name by `emend branch REPO NEW OLD`, then `emend branch "
            "REPO OLD -d`"},
    GitWord{"config",
            "settings are options of a verb, such as `emend commit --set key=value` or "
            "`emend up --workers N`"},
    GitWord{"rev-parse", "`emend show REPO@REVISION --json` has the commit's id"},
    GitWord{"rev-list", "`emend log REPO@REVISION --json` lists commits"},
    GitWord{"describe", "`emend log REPO --oneline` shows branches and tags beside their commits"},
    GitWord{"head", "say the branch: `emend show REPO@main`"},
    GitWord{"HEAD", "say the branch: `emend show REPO@main`"},
    GitWord{"start", "`emend up --store DIR` starts emendd"},
    GitWord{"stop", "`emend down` stops emendd"},
    GitWord{"ps", "`emend operations` lists long work, `emend status` the workers"},
};

// How many words from `place` on are a global option and its value; 0 if the word is none.
std::size_t GlobalWords(const std::vector<Argument>& globals, const std::string& word) {
  for (const Argument& global : globals) {
    if (std::ranges::count(global.each_name(), word) > 0) return global.is_flag() ? 1 : 2;
  }
  return word.starts_with('-') ? 1 : 0;  // --store=DIR, or none that there is
}

// The place of the first word from `place` on that stands for itself.
std::size_t NextWord(const std::vector<Argument>& globals, const std::vector<std::string>& words,
                     std::size_t place) {
  while (place < words.size()) {
    const std::size_t taken = GlobalWords(globals, words[place]);
    if (taken == 0) return place;
    place += taken;
  }
  return words.size();
}

// "inspect", of "model".
std::vector<std::string> VerbsOfNoun(std::string_view noun) {
  std::vector<std::string> verbs;
  for (const std::string& name : VerbNames()) {
    if (name.starts_with(std::string(noun) + " ")) verbs.push_back(name.substr(noun.size() + 1));
  }
  return verbs;
}

void Remove(std::vector<std::string>& words, std::size_t place) {
  words.erase(words.begin() + static_cast<std::ptrdiff_t>(place));
}

}  // namespace

Status UnknownVerb(const std::string& word) {
  if (const auto* const git = std::ranges::find(kGitWords, word, &GitWord::word);
      git != kGitWords.end())
    return InvalidArgument("emend has no \"" + word + "\": " + std::string(git->instead));
  if (const auto verbs = VerbsOfNoun(word); !verbs.empty()) {
    std::string list;
    for (const std::string& verb : verbs)
      list += (list.empty() ? "`emend " : ", `emend ") + word + " " + verb + "`";
    return InvalidArgument("\"" + word + "\" alone is no verb of emend: say " + list);
  }
  const std::string nearest = NearestWord(word, VerbNames());
  return InvalidArgument("\"" + word + "\" is no verb of emend." +
                         (nearest.empty() ? "" : " Did you mean \"" + nearest + "\"?") +
                         " `emend help` lists them");
}

Result<Command> LookUp(const std::vector<std::string>& words) {
  GlobalOptions unused;
  Arguments globals;
  AddGlobals(globals, unused);
  const std::size_t first = NextWord(globals.list(), words, 0);
  Command command{.words = words};
  if (first == words.size()) return command;
  const std::string& word = words[first];
  const std::size_t second = NextWord(globals.list(), words, first + 1);
  if (second < words.size()) command.verb = FindVerb(word + " " + words[second]);
  if (command.verb != nullptr) {
    Remove(command.words, second);
  } else {
    command.verb = FindVerb(word);
  }
  if (command.verb == nullptr) return UnknownVerb(word);
  Remove(command.words, first);
  return command;
}

}  // namespace emend::api::cli
