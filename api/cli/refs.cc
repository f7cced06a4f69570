#include "api/cli/refs.h"

#include "api/cli/revision.h"
#include "api/cli/text.h"

namespace emend::api::cli {
namespace {

Result<int> ListRefs(Session& session, const std::string& repo, const std::string& kind) {
  EMEND_ASSIGN_OR_RETURN(const Json refs, session.GetAll(RepoPath(repo, "/refs")));
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

Result<int> CreateRef(Session& session, const RefOptions& options, const std::string& kind) {
  const std::string revision = options.revision.empty() ? "main" : options.revision;
  const Json body = {{"revision", revision}, {"reason", kind + ": created from " + revision}};
  EMEND_ASSIGN_OR_RETURN(const Json ref, PutRef(session, RefPath(options.repo, kind, *options.name),
                                                body, {"If-None-Match", "*"}));
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
  EMEND_ASSIGN_OR_RETURN(const Answer read, ReadRef(session, path));
  const client::Call call{
      .method = "DELETE", .path = path, .body = "", .headers = {{"If-Match", read.etag}}};
  EMEND_RETURN_IF_ERROR(session.Send(call).status());
  const std::string was = TextOf(read.body, "commit");
  if (session.json()) {
    session.Print({{"kind", kind}, {"name", *options.name}, {"deleted", true}, {"was", was}});
  } else {
    session.out() << "deleted the " << kind << " " << *options.name << " (was " << ShortId(was)
                  << ")\n";
    session.Hint(
        kind + " " + ShellWord(options.repo) + " " + ShellWord(*options.name) + " " + ShortId(was),
        "brings it back");
  }
  return kExitOk;
}

}  // namespace

std::string RefPath(const std::string& repo, const std::string& kind, const std::string& name) {
  return RepoPath(repo, (kind == "tag" ? "/tags/" : "/branches/") + client::EncodeSegment(name));
}

Result<Answer> ReadRef(Session& session, const std::string& path) {
  return session.Send({.method = "GET", .path = path, .body = "", .headers = {}});
}

Result<Json> PutRef(Session& session, const std::string& path, const Json& body,
                    const std::pair<std::string, std::string>& condition) {
  EMEND_ASSIGN_OR_RETURN(
      Answer answer,
      session.Send({.method = "PUT",
                    .path = path,
                    .body = body.dump(-1, ' ', false, Json::error_handler_t::replace),
                    .headers = {condition}}));
  return std::move(answer.body);
}

Result<int> RunRef(Session& session, const std::string& kind, const RefOptions& options) {
  if (!options.name && options.remove)
    return InvalidArgument("deleting a " + kind + ": its name is missing");
  if (!options.name) return ListRefs(session, options.repo, kind);
  if (options.name->empty()) return InvalidArgument("naming a " + kind + ": the name is empty");
  EMEND_RETURN_IF_ERROR(RefuseHead(options.repo, *options.name));
  return options.remove ? DeleteRef(session, options, kind) : CreateRef(session, options, kind);
}

void HintAtMissingBranch(Session& session, const RepoRevision& target, const Status& failed) {
  if (failed.code() != StatusCode::kNotFound) return;
  const Result<Json> refs = session.GetAll(RepoPath(target.repo, "/refs"));
  if (!refs.ok()) return;
  for (const Json& ref : refs->value("items", Json::array())) {
    if (TextOf(ref, "kind") == "branch" && TextOf(ref, "name") == target.revision) return;
  }
  session.Hint("branch " + ShellWord(target.repo) + " " + ShellWord(target.revision),
               "makes it, at main");
}

void AddRefArguments(Arguments& arguments, RefOptions& options) {
  arguments.Add({.names = "REPO", .required = true, .into = &options.repo});
  arguments.Add({.names = "NAME",
                 .help = "to create or delete; without one all are listed",
                 .into = &options.name});
  arguments.Add({.names = "REVISION",
                 .help = "where it shall point; main if not given",
                 .into = &options.revision});
  arguments.Add({.names = "-d,--delete", .help = "delete it", .into = &options.remove});
}

}  // namespace emend::api::cli
