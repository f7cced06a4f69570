#include "api/cli/verb.h"

namespace emend::api::cli::verbs::operations_cancel_verb {
namespace {

struct Options {
  std::string id;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const Json operation, session.Cancel(options.id));
  if (session.json()) {
    session.Print(operation);
  } else {
    session.out() << options.id << " was asked to end\n";
  }
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "ID", .required = true, .into = &options.id});
}

}  // namespace

Verb Make() {
  return {.name = "operations cancel",
          .group = Group::kHouse,
          .effect = Effect::kChanges,
          .summary = "ask an operation to end",
          .document = "the operation",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::operations_cancel_verb
