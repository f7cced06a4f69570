#include "api/cli/verb.h"

namespace emend::api::cli::verbs::token_revoke_verb {
namespace {

struct Options {
  std::string id;
};

Result<int> Run(Session& session, const Options& options) {
  const auto reply = session.Send({.method = "DELETE",
                                   .path = "/api/v1/tokens/" + client::EncodeSegment(options.id),
                                   .body = "",
                                   .headers = {}});
  if (!reply.ok()) return reply.status();
  if (session.json()) {
    session.Print({{"id", options.id}, {"revoked", true}});
  } else {
    session.out() << options.id << " lets nobody in any more\n";
  }
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "ID", .required = true, .into = &options.id});
}

}  // namespace

Verb Make() {
  return {.name = "token revoke",
          .group = Group::kHouse,
          .effect = Effect::kChanges,
          .summary = "let a token in no more",
          .document = "`{\"id\", \"revoked\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::token_revoke_verb
