#include <utility>

#include "api/cli/verb.h"

namespace emend::api::cli::verbs::repair_verb {
namespace {

struct Options {
  bool accept_loss = false;
};

Result<int> Run(Session& session, const Options& options) {
  std::vector<std::string> arguments = {"--repair"};
  if (options.accept_loss) arguments.emplace_back("--accept-loss");
  return session.BecomeEmendd(std::move(arguments));
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "--accept-loss",
                 .help = "repair although acknowledged changes are lost",
                 .into = &options.accept_loss});
}

}  // namespace

Verb Make() {
  return {.name = "repair",
          .group = Group::kProof,
          .summary = "mend a store that emendd refuses, with emendd down",
          .details = "Says what is lost. A first token that is lost or damaged is made again.",
          .examples = "emend repair --store ~/emend-store",
          .document =
              "`{\"repaired\", \"head\", \"lost_first\", \"lost_last\", \"kept_store\", "
              "\"kept_anchor\", \"found\", \"new_token\"}`; with emendd down",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::repair_verb
