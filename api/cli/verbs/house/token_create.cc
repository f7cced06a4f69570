#include "api/cli/verb.h"

namespace emend::api::cli::verbs::token_create_verb {
namespace {

struct Options {
  std::string principal;
  std::vector<std::string> scopes;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const Json made,
                         session.Post("/api/v1/tokens", {{"principal", options.principal},
                                                         {"scopes", options.scopes}}));
  if (session.json()) {
    session.Print(made);
    return kExitOk;
  }
  session.out() << TextOf(made, "secret") << "\n";
  session.Hint("token revoke " + TextOf(made, "id"), "ends it; keep the secret, it is shown once");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "PRINCIPAL",
                 .help = "who is named in commits and in the audit",
                 .required = true,
                 .into = &options.principal});
  arguments.Add({.names = "--scope",
                 .value = "SCOPE",
                 .help = "what it may do",
                 .required = true,
                 .choices = {"ask", "read", "propose", "review", "merge", "deploy", "admin"},
                 .into = &options.scopes});
}

}  // namespace

Verb Make() {
  return {.name = "token create",
          .group = Group::kHouse,
          .effect = Effect::kChanges,
          .summary = "make a token of some scopes; its secret is printed this once",
          .examples = "emend token create ci --scope ask --scope read",
          .document = "`{\"id\", \"principal\", \"scopes\", \"created\", \"secret\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::token_create_verb
