#include "api/cli/refit.h"

#include "api/cli/commits.h"
#include "api/cli/evidence.h"
#include "api/cli/refs.h"
#include "api/cli/scores.h"
#include "api/cli/text.h"

namespace emend::api::cli {
namespace {

// What exact subtraction gives, beside the refit.
std::string RenderSubtracted(const Json& result) {
  const Json subtracted = result.value("subtracted", Json());
  if (!subtracted.is_object() || TextOf(result, "without").empty()) return "";
  return "\nthe same facts if those edits are only taken out (emend revert without --refit):\n" +
         RenderScores({{"after", subtracted.value("evaluation", Json())}}) +
         RenderEvidence(subtracted);
}

void ShowRefitted(Session& session, const RepoRevision& target, const Json& result) {
  const std::string id = ShortId(TextOf(result, "commit"));
  const bool is_preview = result.value("preview", false);
  session.out() << "["
                << session.terminal().Paint(target.repo + "@" + target.revision + " " + id,
                                            Colour::kYellow)
                << "] " << CountOf(result, "edits")
                << (is_preview ? " facts would be solved again, for " : " facts solved again, for ")
                << CountOf(result, "removed")
                << " edits: " << RenderMebibytes(NumberOf(result, "bytes"))
                << (is_preview ? "; nothing was committed\n" : "\n") << RenderSolved(result)
                << RenderSubtracted(result);
  if (const long blocked = CountOf(result, "blocked"); blocked > 0) {
    session.out() << blocked
                  << " not put back: newer edits hold what they were about (revert those first)\n";
  }
  if (!is_preview) session.Hint("show " + ShellWord(target.repo + "@" + id));
}

}  // namespace

Result<int> RunRefit(Session& session, const RepoRevision& target, const RefitOptions& options) {
  Json body = {{"branch", target.revision}};
  if (!options.without.empty()) {
    EMEND_ASSIGN_OR_RETURN(body["without"], ParseRevisionOf(target.repo, options.without));
  }
  if (!options.message.empty()) body["message"] = options.message;
  if (options.preview) body["preview"] = true;
  if (options.no_evaluation) body["evaluate"] = false;
  EMEND_RETURN_IF_ERROR(ReadSolveOptions(options.solve, body));
  const Result<Json> ran = session.Run(RepoPath(target.repo, "/refits"), body, options.submit);
  if (!ran.ok()) HintAtMissingBranch(session, target, ran.status());
  EMEND_ASSIGN_OR_RETURN(const Json result, ran);
  if (session.json()) {
    session.Print(result);
  } else {
    ShowRefitted(session, target, result);
  }
  return kExitOk;
}

}  // namespace emend::api::cli
