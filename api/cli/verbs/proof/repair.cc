#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "api/cli/verb.h"

namespace emend::api::cli::verbs {
namespace {

struct Options {
  bool accept_loss = false;
};

// Only emendd may open a store: this program becomes it.
Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const std::string store, session.NamedStore());
  const std::string program = session.terminal().program_folder + "/emendd";
  std::vector<std::string> arguments = {program, "--store", store, "--repair"};
  if (options.accept_loss) arguments.emplace_back("--accept-loss");
  if (session.json()) arguments.emplace_back("--json");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(program.c_str(), argv.data());
  return Unavailable("starting \"" + program + "\": " + std::strerror(errno));
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "--accept-loss",
                 .help = "repair although acknowledged changes are lost",
                 .into = &options.accept_loss});
}

}  // namespace

Verb RepairVerb() {
  return {.name = "repair",
          .group = Group::kProof,
          .summary = "mend a store that emendd refuses, with emendd down",
          .details = "Says what is lost.",
          .examples = "emend repair --store ~/emend-store",
          .document =
              "`{\"repaired\", \"head\", \"lost_first\", \"lost_last\", \"kept_store\", "
              "\"kept_anchor\", \"found\"}`; with emendd down",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs
