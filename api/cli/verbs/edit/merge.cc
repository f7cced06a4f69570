#include "api/cli/commits.h"
#include "api/cli/proposal_page.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::merge_verb {
namespace {

struct Options {
  std::string target;
  std::string revision;
  std::optional<std::uint64_t> proposal;
  std::string message;
  std::string prefer;
  std::vector<std::string> decisions;
  bool no_fast_forward = false;
  bool dry_run = false;
  SubmitOptions submit;
};

std::string SideOf(const Json& conflict, const char* side) {
  const Json one = conflict.value(side, Json::object());
  return TextOf(one, "target") + " (" + ShortId(TextOf(one, "edit")) + ")";
}

void ShowConflicts(const Session& session, const Json& result) {
  for (const Json& conflict : result.value("conflicts", Json::array())) {
    session.out() << session.terminal().Paint("both changed: ", Colour::kRed)
                  << TextOf(conflict, "subject") << ", " << TextOf(conflict, "relation_or_prompt")
                  << ": ours " << SideOf(conflict, "ours") << ", theirs "
                  << SideOf(conflict, "theirs") << "\n";
  }
}

// A proposal says by itself what goes where, and its conflicts are decided on its branch.
Status RefuseBesideProposal(const Options& options) {
  const std::pair<const char*, bool> others[] = {
      {"@BRANCH", options.target.find('@') != std::string::npos},
      {"REVISION", !options.revision.empty()},
      {"--message", !options.message.empty()},
      {"--prefer", !options.prefer.empty()},
      {"--decide", !options.decisions.empty()},
      {"--no-ff", options.no_fast_forward},
      {"--dry-run", options.dry_run}};
  for (const auto& [name, is_given] : others) {
    if (is_given)
      return InvalidArgument(std::string("merging a proposal: found ") + name +
                             ", which goes with merging a revision alone");
  }
  return OkStatus();
}

Result<int> MergeProposal(Session& session, const Options& options, const std::string& repo) {
  EMEND_ASSIGN_OR_RETURN(const Json result,
                         session.Run(ProposalPath(repo, *options.proposal, "/merges"),
                                     Json::object(), options.submit));
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  const std::string id = ShortId(TextOf(result, "commit"));
  session.out() << "["
                << session.terminal().Paint(repo + "@" + TextOf(result, "branch") + " " + id,
                                            Colour::kYellow)
                << "] merged proposal " << *options.proposal << ": " << CountOf(result, "added")
                << " edits came, " << CountOf(result, "removed") << " went\n";
  session.Hint("show " + ShellWord(repo + "@" + id));
  return kExitOk;
}

Result<Json> BodyOf(const Options& options, const RepoRevision& target) {
  EMEND_ASSIGN_OR_RETURN(const std::string revision,
                         ParseRevisionOf(target.repo, options.revision));
  Json body = {{"branch", target.revision}, {"revision", revision}};
  if (!options.message.empty()) body["message"] = options.message;
  if (!options.prefer.empty()) body["prefer"] = options.prefer;
  if (options.no_fast_forward) body["no_fast_forward"] = true;
  if (options.dry_run) body["dry_run"] = true;
  for (const std::string& word : options.decisions) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos)
      return InvalidArgument("reading --decide " + word +
                             ": expected EDIT=ours, EDIT=theirs or EDIT=both");
    body["decisions"][word.substr(0, equals)] = word.substr(equals + 1);
  }
  return body;
}

void ShowMerged(Session& session, const RepoRevision& target, const Options& options,
                const Json& result) {
  const std::string kind = TextOf(result, "kind");
  const std::string id = ShortId(TextOf(result, "commit"));
  const std::string branch = target.repo + "@" + target.revision;
  if (kind == "up_to_date") {
    session.out() << branch << " has all of " << options.revision << " already\n";
    return;
  }
  session.out() << (options.dry_run ? "would come: " : "") << "["
                << session.terminal().Paint(branch + " " + id, Colour::kYellow) << "] "
                << (kind == "merge" ? "merged " : "moved forward to ") << options.revision << ": "
                << CountOf(result, "added") << " edits came, " << CountOf(result, "removed")
                << " went\n";
  ShowConflicts(session, result);
  if (!options.dry_run)
    session.Hint("diff " + ShellWord(target.repo + "@" + id + "~1") + " " +
                 ShellWord(target.repo + "@" + id));
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  if (options.proposal) {
    EMEND_RETURN_IF_ERROR(RefuseBesideProposal(options));
    return MergeProposal(session, options, target.repo);
  }
  if (options.revision.empty())
    return InvalidArgument("merging into " + options.target +
                           ": neither a branch nor --proposal was given, expected one of them");
  EMEND_ASSIGN_OR_RETURN(const Json body, BodyOf(options, target));
  const Result<Json> ran = session.Run(RepoPath(target.repo, "/merges"), body, options.submit);
  if (!ran.ok() && ran.status().slug() == "merge_conflict") {
    session.Hint("merge " + ShellWord(options.target) + " " + ShellWord(options.revision) +
                     " --prefer theirs",
                 "or --decide EDIT=ours for one fact");
  }
  EMEND_ASSIGN_OR_RETURN(const Json result, ran);
  if (session.json()) {
    session.Print(result);
  } else {
    ShowMerged(session, target, options, result);
  }
  return result.value("conflicts", Json::array()).empty() ? kExitOk : kExitNo;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO[@BRANCH]", .required = true, .into = &options.target});
  arguments.Add({.names = "REVISION", .help = "whose changes come in", .into = &options.revision});
  arguments.Add({.names = "--proposal",
                 .value = "N",
                 .help = "merge this proposal into what it was made for",
                 .range = Range{1, kCountMax},
                 .into = &options.proposal});
  arguments.Add(
      {.names = "-m,--message", .value = "MESSAGE", .help = "why", .into = &options.message});
  arguments.Add({.names = "--prefer",
                 .value = "SIDE",
                 .help = "whose edit stays where both changed a fact",
                 .choices = {"ours", "theirs", "both"},
                 .into = &options.prefer});
  arguments.Add({.names = "--decide",
                 .value = "EDIT=SIDE",
                 .help = "the same for one fact, by either edit",
                 .into = &options.decisions});
  arguments.Add({.names = "--no-ff",
                 .help = "make a commit even where the branch could simply move",
                 .into = &options.no_fast_forward});
  arguments.Add({.names = "--dry-run",
                 .help = "say what would come, and change nothing",
                 .into = &options.dry_run});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "merge",
          .group = Group::kEdit,
          .effect = Effect::kChanges,
          .summary = "bring in what another branch has learned, or a reviewed proposal",
          .details =
              "Edits are put together, not solved again. Where both sides changed a fact, "
              "nothing is merged until it\nis decided whose edit stays.",
          .examples =
              "emend merge atlas@main seats --dry-run\nemend merge atlas@main seats\nemend "
              "merge atlas --proposal 1",
          .document =
              "`{\"commit\", \"state\", \"branch\", \"kind\", \"ancestor\", \"added\", "
              "\"removed\", \"conflicts\", \"dry_run\"}`; of a proposal `{\"commit\", "
              "\"state\", \"branch\", \"added\", \"removed\", \"proposal\", "
              "\"revision\", \"evaluation\", \"evidence\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::merge_verb
