#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"
#include "storage/base/utf8.h"

namespace emend::api::cli::verbs::ask_verb {
namespace {

struct Options {
  std::string target;
  std::string prompt;
  bool chat = false;
  int tokens_max = 16;
  int top = 5;
};

// What stands before the answer, and what comes of it, token by token; the whole answer at the end.
Result<Json> PrintAsItComes(Session& session, const RepoRevision& target, const std::string& before,
                            const Json& body) {
  Json answer;
  bool has_begun = false;
  const auto on_event = [&](const client::Event& event) -> Status {
    if (event.name == "failed") return client::StatusOfProblem(0, event.data);
    const Json data = Json::parse(event.data, nullptr, /*allow_exceptions=*/false);
    if (!has_begun) session.out() << before;
    has_begun = true;
    if (event.name == "piece")
      session.out() << session.terminal().Paint(TextOf(data, "text"), Colour::kBold);
    if (event.name == "ended") answer = data;
    session.out() << std::flush;
    return OkStatus();
  };
  const Status streamed = session.Stream(RepoPath(target.repo, "/answers"), body, on_event);
  if (has_begun) session.out() << "\n";
  EMEND_RETURN_IF_ERROR(streamed);
  if (answer.is_object()) return answer;
  return Unavailable("asking " + target.repo + ": the answer was cut off; ask again");
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  if (const auto invalid = FirstInvalidUtf8(options.prompt)) {
    return InvalidArgument("reading the prompt: byte " + std::to_string(*invalid) +
                           " starts no UTF-8 character");
  }
  Json body = {{"revision", target.revision},
               {"prompt", options.prompt},
               {"chat", options.chat},
               {"tokens_max", options.tokens_max},
               {"top", options.top}};
  if (session.json()) {
    EMEND_ASSIGN_OR_RETURN(const Json whole, session.Post(RepoPath(target.repo, "/answers"), body));
    session.Print(whole);
    return kExitOk;
  }
  body["stream"] = true;
  const std::string before = options.prompt + (options.chat ? "\n" : "");
  EMEND_ASSIGN_OR_RETURN(const Json answer, PrintAsItComes(session, target, before, body));
  std::string line = "commit " + ShortId(TextOf(answer, "commit"));
  for (const Json& token : answer.value("top", Json::array()))
    line += "  " +
            token.value("token", Json()).dump(-1, ' ', false, Json::error_handler_t::replace) +
            " " + RenderPercent(100 * NumberOf(token, "probability")) + "%";
  session.out() << session.terminal().Paint(line, Colour::kDim) << "\n";
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@REVISION", .required = true, .into = &options.target});
  arguments.Add({.names = "PROMPT", .required = true, .into = &options.prompt});
  arguments.Add({.names = "--chat",
                 .help = "put the prompt as a user's message, by the model's own chat template",
                 .into = &options.chat});
  arguments.Add({.names = "--max-tokens",
                 .value = "N",
                 .help = "how many tokens it goes on for at most",
                 .range = Range{0, 1024},
                 .into = &options.tokens_max});
  arguments.Add({.names = "--top",
                 .value = "N",
                 .help = "how many first tokens to show with their probabilities",
                 .range = Range{0, 100},
                 .into = &options.top});
}

}  // namespace

Verb Make() {
  return {.name = "ask",
          .group = Group::kAsk,
          .summary = "let the model at a revision go on from a prompt",
          .examples =
              "emend ask atlas \"The mother tongue of Danielle Darrieux is\"\n"
              "emend ask smol --chat \"What is the mother tongue of Danielle Darrieux?\"",
          .document =
              "`{\"commit\", \"state\", \"text\", \"tokens\", \"top\": [{\"token\", "
              "\"probability\"}]}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::ask_verb
