#include "api/cli/commits.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::diff_verb {
namespace {

struct Options {
  std::string from;
  std::string to;
};

void ShowFactChanges(const Session& session, const Json& changes) {
  for (const Json& change : changes) {
    const std::string kind = TextOf(change, "kind");
    const Colour colour = kind == "added"     ? Colour::kGreen
                          : kind == "removed" ? Colour::kRed
                                              : Colour::kYellow;
    const Json fact = change.value("fact", Json::object());
    const std::string other = TextOf(change, "other_target");
    session.out() << session.terminal().Paint(kind == "added"     ? "+"
                                              : kind == "removed" ? "-"
                                                                  : "~",
                                              colour)
                  << " " << QuestionOf(fact) << " -> " << (other.empty() ? "" : other + " => ")
                  << session.terminal().Paint(TextOf(fact, "target"), colour) << "\n";
  }
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision from, ParseRepoRevision(options.from));
  // After a repo with a revision, a word without a repo is a revision of the same.
  const bool is_bare = options.from.find('@') != std::string::npos &&
                       options.to.find('@') == std::string::npos && options.to != from.repo;
  EMEND_ASSIGN_OR_RETURN(const RepoRevision to,
                         ParseRepoRevision(is_bare ? from.repo + "@" + options.to : options.to));
  if (from.repo != to.repo)
    return InvalidArgument("comparing " + options.from + " with " + options.to +
                           ": both must be of one repo, such as atlas@main~1 atlas@main");
  EMEND_ASSIGN_OR_RETURN(
      const Json diff,
      session.Get(RepoPath(from.repo, "/diff?from=" + client::EncodeSegment(from.revision) +
                                          "&to=" + client::EncodeSegment(to.revision))));
  if (session.json()) {
    session.Print(diff);
    return kExitOk;
  }
  session.out() << "diff " << from.repo << " "
                << ShortId(TextOf(diff.value("from", Json()), "commit")) << " "
                << ShortId(TextOf(diff.value("to", Json()), "commit")) << "\n";
  ShowFactChanges(session, diff.value("facts", Json::array()));
  std::vector<std::vector<std::string>> rows = {
      {"TENSOR", "CHANGED", "ELEMENTS", "DIFFERENCE", "WEIGHT"}};
  for (const Json& tensor : diff.value("tensors", Json::array())) {
    rows.push_back({TextOf(tensor, "tensor"),
                    std::to_string(static_cast<long>(NumberOf(tensor, "changed"))),
                    std::to_string(static_cast<long>(NumberOf(tensor, "elements"))),
                    RenderPercent(NumberOf(tensor, "difference_norm")),
                    RenderPercent(NumberOf(tensor, "weight_norm"))});
  }
  session.out() << (rows.size() > 1 ? RenderTable(rows) : "no tensor differs\n");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@A", .required = true, .into = &options.from});
  arguments.Add({.names = "REPO@B",
                 .help = "or a revision of the same repo",
                 .required = true,
                 .into = &options.to});
}

}  // namespace

Verb Make() {
  return {.name = "diff",
          .group = Group::kHistory,
          .summary = "facts and tensors that differ between two commits",
          .examples = "emend diff atlas@main~1 main",
          .document =
              "`{\"from\", \"to\", \"facts\": [{\"kind\", \"edit\", \"fact\", \"other_target\"}], "
              "\"tensors\": [{\"tensor\", \"elements\", \"changed\", \"difference_norm\", "
              "\"weight_norm\"}]}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::diff_verb
