#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::token_list_verb {
namespace {

std::string ScopesOf(const Json& token) {
  std::string text;
  for (const Json& scope : token.value("scopes", Json::array()))
    text += (text.empty() ? "" : " ") + scope.get<std::string>();
  return text;
}

Result<int> Run(Session& session) {
  EMEND_ASSIGN_OR_RETURN(const Json tokens, session.GetAll("/api/v1/tokens"));
  if (session.json()) {
    session.Print(tokens);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {{"TOKEN", "PRINCIPAL", "CREATED", "SCOPES"}};
  for (const Json& token : tokens.value("items", Json::array()))
    rows.push_back({TextOf(token, "id"), TextOf(token, "principal"),
                    TextOf(token, "created").substr(0, 19), ScopesOf(token)});
  session.out() << RenderTable(rows);
  return kExitOk;
}

}  // namespace

Verb Make() {
  return {.name = "token list",
          .group = Group::kHouse,
          .summary = "list tokens, without their secrets",
          .document = "`{\"items\": [{\"id\", \"principal\", \"scopes\", \"created\"}], \"next\"}`",
          .bind = Bind<Run>};
}

}  // namespace emend::api::cli::verbs::token_list_verb
