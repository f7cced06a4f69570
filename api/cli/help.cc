#include "api/cli/help.h"

namespace emend::api::cli {

std::string_view OverviewText() {
  return R"(emend: git for what a language model knows

usage: emend VERB [ARGUMENTS] [--json] [--store DIR | --server URL --token TOKEN]

start and stop
  up          start emendd on a store, with workers, and wait until it is ready
  down        stop it
  status      repos with their heads, and workers
  doctor      test workers, the ranks of their groups and what lies between them

bring in a model
  model       inspect: what a model would take of each rank's memory, without a server
  init        register a model's folder as a new repo
  stats       compute the key covariances that edits are solved with

change what it knows
  commit      edit a file of facts into the model, as one commit
  revert      take a commit's edits out again, as a new commit
  reset       move a branch to another commit

ask and measure
  ask         let the model at a revision go on from a prompt
  eval        measure efficacy, paraphrase and neighbourhood scores on facts

look at the history
  log         commits of a revision, newest first
  show        one commit with its edits
  diff        facts and tensors that differ between two commits
  branch      list, create or delete branches
  tag         list, create or delete tags
  reflog      where a branch has pointed

take it out and prove it
  export      write a revision as a model's folder
  verify      compare live weights, an independent rebuild and the manifest
  fsck        check the whole store
  repair      mend a store that emendd refuses (with emendd down)

keep house
  operations  list or cancel long work
  audit       who did what
  version     versions of this program and of the server

`emend help VERB` says more about one; `emend help exit-codes` and `emend help environment`
about all.
)";
}

std::string_view ExitCodesText() {
  return R"(exit codes
  0  done
  1  done, and the answer is no: verify, fsck or doctor found problems
  2  usage: the command, a file or a value is wrong
  3  not found: repo, revision, file of a model, operation
  4  conflict: the ref has moved, or the thing exists
  5  refused: no token, no permission, a rule, a bound, not supported
  6  unreachable: no server, no worker, no answer in time
  7  internal: a bug, or stored bytes that are not what was written
)";
}

std::string_view EnvironmentText() {
  return R"(where the server is found, the first that is there
  --server URL           with --token TOKEN or EMEND_TOKEN
  --store DIR            the emendd that runs on this store, with the store's own token
  EMEND_SERVER           with --token or EMEND_TOKEN
  EMEND_STORE            as --store
  the store last brought up by `emend up`, kept in $XDG_STATE_HOME/emend/last-store
                         (else in ~/.local/state)

  NO_COLOR               no colours
  TERM=dumb              no colours
)";
}

const std::vector<std::string>& VerbNames() {
  static const std::vector<std::string> kNames = {
      "up",     "down",   "status", "model",  "init",       "stats", "commit",  "revert", "reset",
      "ask",    "doctor", "eval",   "log",    "show",       "diff",  "branch",  "tag",    "reflog",
      "export", "verify", "fsck",   "repair", "operations", "audit", "version", "help"};
  return kNames;
}

}  // namespace emend::api::cli
