// Branches and tags, which are listed, created and deleted alike. Inside this folder only.
#pragma once

#include <string>
#include <utility>

#include "api/cli/revision.h"
#include "api/cli/verb.h"

namespace emend::api::cli {

struct RefOptions {
  std::string repo;
  std::optional<std::string> name;
  std::string revision;
  bool remove = false;
};
inline constexpr std::string_view kRefDocument =
    "list: `{\"items\": [{\"kind\", \"name\", \"commit\"}]}`; create: `{\"kind\", \"name\", "
    "\"commit\"}`; delete: `{\"kind\", \"name\", \"deleted\", \"was\"}`";

void AddRefArguments(Arguments& arguments, RefOptions& options);
// `kind` is "branch" or "tag".
Result<int> RunRef(Session& session, const std::string& kind, const RefOptions& options);

// Where something was not found and the repo has no such branch: how it is made.
void HintAtMissingBranch(Session& session, const RepoRevision& target, const Status& failed);

std::string RefPath(const std::string& repo, const std::string& kind, const std::string& name);
// The ref, and the ETag by which the next call changes it only if it still is that.
Result<Answer> ReadRef(Session& session, const std::string& path);
// The ref as it is now. `condition` is a header.
Result<Json> PutRef(Session& session, const std::string& path, const Json& body,
                    const std::pair<std::string, std::string>& condition);

}  // namespace emend::api::cli
