#include "api/cli/files.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::export_verb {
namespace {

struct Options {
  std::string target;
  std::string format = "safetensors";
  std::string folder;
  SubmitOptions submit;
};

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  EMEND_ASSIGN_OR_RETURN(const std::string folder, AbsolutePath(options.folder));
  EMEND_ASSIGN_OR_RETURN(
      const Json result,
      session.Run(RepoPath(target.repo, "/exports"),
                  {{"revision", target.revision}, {"format", options.format}, {"folder", folder}},
                  options.submit));
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  session.out() << "exported " << target.repo << "@" << ShortId(TextOf(result, "commit")) << " to "
                << TextOf(result, "folder") << "\n";
  for (const Json& file : result.value("files", Json::array()))
    session.out() << "  " << (file.is_string() ? file.get<std::string>() : TextOf(file, "name"))
                  << "\n";
  PrintLeftOut(session, result);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@REVISION", .required = true, .into = &options.target});
  arguments.Add({.names = "-o,--output",
                 .value = "DIR",
                 .help = "new or empty folder, on the server's machine",
                 .required = true,
                 .kind = ValueKind::kFolder,
                 .into = &options.folder});
  arguments.Add({.names = "--format", .value = "FORMAT", .into = &options.format});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {.name = "export",
          .group = Group::kProof,
          .summary = "write a revision as a model's folder",
          .details =
              "The folder's path is made absolute here and means the server's machine. A new\n"
              "folder is made, an empty one is filled, and nothing else is touched.",
          .examples = "emend export atlas@main -o /tmp/atlas-edited",
          .document = "`{\"commit\", \"state\", \"folder\", \"files\", \"left_out\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::export_verb
