#include "api/cli/commits.h"
#include "api/cli/proposal_page.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::review_verb {
namespace {

constexpr std::size_t kRevisionDigitsMin = 8;

struct Options {
  std::string repo;
  std::uint64_t number = 0;
  std::optional<std::string> approve;
  bool request_changes = false;
  bool close = false;
  std::string text;
  std::vector<std::string> notes;
};

// "EDIT=TEXT", with the beginning of an edit's id.
Result<Json> ReadNote(const Json& detail, const std::string& word) {
  const std::size_t equals = word.find('=');
  const std::string beginning = word.substr(0, equals);
  if (equals == std::string::npos || equals < 4)
    return InvalidArgument("reading --fact " + word + ": expected EDIT=TEXT, with 4 digits or " +
                           "more of an edit's id");
  std::vector<std::string> found;
  for (const char* list : {"added", "removed"}) {
    for (const Json& one : detail.value(list, Json::array())) {
      if (TextOf(one, "edit").starts_with(beginning)) found.push_back(TextOf(one, "edit"));
    }
  }
  if (found.size() == 1) return Json{{"edit", found.front()}, {"text", word.substr(equals + 1)}};
  return InvalidArgument("reading --fact " + word + ": found " + std::to_string(found.size()) +
                         " edits of the proposal that begin so, expected one");
}

// What is approved is what somebody has looked at: named, so that nothing else can be meant.
Status CheckRevision(const Json& detail, const Options& options) {
  if (!options.approve) return OkStatus();
  const std::string now = TextOf(detail, "revision");
  if (options.approve->size() >= kRevisionDigitsMin && now.starts_with(*options.approve))
    return OkStatus();
  return {StatusCode::kConflict, "stale_revision",
          "approving revision " + *options.approve + " of proposal " +
              std::to_string(options.number) + ": " +
              (now.empty() ? "it is over" : "it is at revision " + ShortId(now)) +
              "; look at it (emend review " + ShellWord(options.repo) + " " +
              std::to_string(options.number) + ")"};
}

Result<Json> Say(Session& session, const Options& options, const Json& detail) {
  Json body = {{"revision", TextOf(detail, "revision")},
               {"verdict", options.approve           ? "approve"
                           : options.request_changes ? "request_changes"
                                                     : "comment"},
               {"text", options.text},
               {"facts", Json::array()}};
  for (const std::string& word : options.notes) {
    EMEND_ASSIGN_OR_RETURN(Json note, ReadNote(detail, word));
    body["facts"].push_back(std::move(note));
  }
  return session.Post(ProposalPath(options.repo, options.number, "/reviews"), body);
}

Result<int> Run(Session& session, const Options& options) {
  const std::string path = ProposalPath(options.repo, options.number);
  EMEND_ASSIGN_OR_RETURN(Json detail, session.Get(path));
  EMEND_RETURN_IF_ERROR(CheckRevision(detail, options));
  const bool speaks =
      options.approve || options.request_changes || !options.text.empty() || !options.notes.empty();
  if (speaks) EMEND_RETURN_IF_ERROR(Say(session, options, detail).status());
  if (options.close) {
    EMEND_RETURN_IF_ERROR(
        session.Send({.method = "DELETE", .path = path, .body = "", .headers = {}}).status());
  }
  if (speaks || options.close) {
    EMEND_ASSIGN_OR_RETURN(detail, session.Get(path));
  }
  if (session.json()) {
    session.Print(detail);
    return kExitOk;
  }
  (speaks || options.close ? ShowVerdicts : ShowProposal)(session, detail);
  HintAtNextStep(session, options.repo, detail);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO", .required = true, .into = &options.repo});
  arguments.Add({.names = "NUMBER",
                 .help = "of the proposal",
                 .required = true,
                 .range = Range{1, kCountMax},
                 .into = &options.number});
  arguments.Add({.names = "--approve",
                 .value = "REVISION",
                 .help = "this revision, as it was shown, may be merged",
                 .excludes = "--request-changes",
                 .into = &options.approve});
  arguments.Add(
      {.names = "--request-changes", .help = "it may not", .into = &options.request_changes});
  arguments.Add({.names = "-m,--message",
                 .value = "TEXT",
                 .help = "what you think of it",
                 .into = &options.text});
  arguments.Add({.names = "--fact",
                 .value = "EDIT=TEXT",
                 .help = "what you think of one of its facts",
                 .into = &options.notes});
  arguments.Add({.names = "--close",
                 .help = "close it without merging",
                 .excludes = "--approve",
                 .into = &options.close});
}

}  // namespace

Verb Make() {
  return {
      .name = "review",
      .group = Group::kReview,
      .effect = Effect::kChanges,
      .summary = "show a proposal as it is to be judged, or judge it",
      .details =
          "An approval is good for the revision that was shown: which facts come and "
          "go, on which base. Who had\na hand in it can comment alone.",
      .examples =
          "emend review atlas 1\nemend review atlas 1 --approve 77fccf8cf53e\nemend review atlas 1 "
          "--request-changes -m \"Two is wrong\" --fact 4587cbc8=\"It is Lyon\"",
      .document =
          "the proposal as in `proposals`, with `revision`, `heads`, `makers`, `added`, "
          "`removed`, `reviews`, `approvers`, `objectors`, `required`, `check` and `blockers`",
      .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::review_verb
