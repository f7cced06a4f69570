#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verbs.h"
#include "api/daemon/exit_code.h"

namespace emend::api::cli {
namespace {

using namespace daemon::exit_codes;

struct RefOptions {
  std::string repo;
  std::optional<std::string> name;
  std::string revision;
  bool remove = false;
};
struct ResetOptions {
  std::string target;
  std::string commit;
  std::string message;
};

std::string RefPath(const std::string& repo, const std::string& kind, const std::string& name) {
  return RepoPath(repo, (kind == "tag" ? "/tags/" : "/branches/") + client::EncodeSegment(name));
}

Result<int> ListRefs(Session& session, const std::string& repo, const std::string& kind) {
  EMEND_ASSIGN_OR_RETURN(const Json refs, session.Get(RepoPath(repo, "/refs")));
  Json items = Json::array();
  for (const Json& ref : refs.value("items", Json::array())) {
    if (TextOf(ref, "kind") == kind) items.push_back(ref);
  }
  if (session.json()) {
    session.Print({{"items", items}});
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows;
  for (const Json& ref : items)
    rows.push_back({TextOf(ref, "name"),
                    session.terminal().Paint(ShortId(TextOf(ref, "commit")), Colour::kYellow)});
  session.out() << RenderTable(rows);
  return kExitOk;
}

Result<client::Reply> PutRef(Session& session, const std::string& path, const Json& body,
                             const std::pair<std::string, std::string>& condition) {
  return session.Send({.method = "PUT",
                       .path = path,
                       .body = body.dump(-1, ' ', false, Json::error_handler_t::replace),
                       .headers = {condition}});
}

Result<int> CreateRef(Session& session, const RefOptions& options, const std::string& kind) {
  const std::string revision = options.revision.empty() ? "main" : options.revision;
  const Json body = {{"revision", revision}, {"reason", kind + ": created from " + revision}};
  EMEND_ASSIGN_OR_RETURN(
      const client::Reply reply,
      PutRef(session, RefPath(options.repo, kind, *options.name), body, {"If-None-Match", "*"}));
  const Json ref = Json::parse(reply.body, nullptr, /*allow_exceptions=*/false);
  if (session.json()) {
    session.Print(ref);
  } else {
    session.out() << "created the " << kind << " " << *options.name << " at "
                  << ShortId(TextOf(ref, "commit")) << "\n";
  }
  return kExitOk;
}

Result<int> DeleteRef(Session& session, const RefOptions& options, const std::string& kind) {
  const std::string path = RefPath(options.repo, kind, *options.name);
  EMEND_ASSIGN_OR_RETURN(const client::Reply read,
                         session.Send({.method = "GET", .path = path, .body = "", .headers = {}}));
  const client::Call call{
      .method = "DELETE", .path = path, .body = "", .headers = {{"If-Match", read.etag}}};
  EMEND_RETURN_IF_ERROR(session.Send(call).status());
  const std::string was =
      TextOf(Json::parse(read.body, nullptr, /*allow_exceptions=*/false), "commit");
  if (session.json()) {
    session.Print({{"kind", kind}, {"name", *options.name}, {"deleted", true}, {"was", was}});
  } else {
    session.out() << "deleted the " << kind << " " << *options.name << " (was " << ShortId(was)
                  << ")\n";
    session.Hint("emend " + kind + " " + options.repo + " " + *options.name + " " + ShortId(was) +
                 " brings it back");
  }
  return kExitOk;
}

Result<int> RunRef(Session& session, const RefOptions& options, const std::string& kind) {
  if (!options.name && options.remove)
    return InvalidArgument("deleting a " + kind + ": its name is missing");
  if (!options.name) return ListRefs(session, options.repo, kind);
  if (options.name->empty()) return InvalidArgument("naming a " + kind + ": the name is empty");
  return options.remove ? DeleteRef(session, options, kind) : CreateRef(session, options, kind);
}

Result<int> RunBranch(Session& session, const RefOptions& options) {
  return RunRef(session, options, "branch");
}
Result<int> RunTag(Session& session, const RefOptions& options) {
  return RunRef(session, options, "tag");
}

// Reads the head and moves the branch only if it still is that: what comes in between is a
// conflict, never lost.
Result<int> RunReset(Session& session, const ResetOptions& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  const std::string path = RefPath(target.repo, "branch", target.revision);
  EMEND_ASSIGN_OR_RETURN(const client::Reply read,
                         session.Send({.method = "GET", .path = path, .body = "", .headers = {}}));
  const std::string from =
      TextOf(Json::parse(read.body, nullptr, /*allow_exceptions=*/false), "commit");
  EMEND_ASSIGN_OR_RETURN(const std::string revision, ParseRevisionOf(target.repo, options.commit));
  const std::string reason =
      "reset: " + (options.message.empty() ? "moving to " + revision : options.message);
  EMEND_ASSIGN_OR_RETURN(
      const client::Reply reply,
      PutRef(session, path, {{"revision", revision}, {"reason", reason}}, {"If-Match", read.etag}));
  const std::string to =
      TextOf(Json::parse(reply.body, nullptr, /*allow_exceptions=*/false), "commit");
  if (session.json()) {
    session.Print(
        {{"repo", target.repo}, {"branch", target.revision}, {"commit", to}, {"from", from}});
    return kExitOk;
  }
  if (to == from) {
    session.out() << target.repo << "@" << target.revision << " is at " << ShortId(to)
                  << " already\n";
    return kExitOk;
  }
  session.out() << target.repo << "@" << target.revision << " is now at "
                << session.terminal().Paint(ShortId(to), Colour::kYellow) << " (was "
                << ShortId(from) << ")\n";
  session.Hint("emend reset " + target.repo + "@" + target.revision + " " + ShortId(from) +
               " goes back");
  return kExitOk;
}

void AddRefOptions(const Bound<RefOptions>& bound) {
  bound.verb->add_option("REPO", bound.options->repo)->required();
  bound.verb->add_option("NAME", bound.options->name,
                         "to create or delete; without one all are listed");
  bound.verb->add_option("REVISION", bound.options->revision,
                         "where it shall point; main if not given");
  bound.verb->add_flag("-d,--delete", bound.options->remove);
}

}  // namespace

void AddRefVerbs(CLI::App& app, Action& chosen) {
  AddRefOptions(
      Bind<RefOptions>(app, chosen, "branch", "List, create or delete branches", RunBranch));
  AddRefOptions(Bind<RefOptions>(app, chosen, "tag", "List, create or delete tags", RunTag));
  const auto reset =
      Bind<ResetOptions>(app, chosen, "reset", "Move a branch to another commit", RunReset);
  reset.verb->add_option("REPO@BRANCH", reset.options->target)->required();
  reset.verb->add_option("COMMIT", reset.options->commit, "where to: any revision")->required();
  reset.verb->add_option("-m,--message", reset.options->message, "reason, for the reflog");
}

}  // namespace emend::api::cli
