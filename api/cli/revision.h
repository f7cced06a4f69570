// REPO[@REVISION] as people type it. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace emend::api::cli {

struct RepoRevision {
  std::string repo;
  std::string revision;  // "main" if none was given
};

// "atlas" is main of atlas; "atlas@v1~2"; "atlas@main@{1}"; "atlas@{1}" is what main was one move
// ago. kInvalidArgument says what is wrong.
Result<RepoRevision> ParseRepoRevision(std::string_view text);

// kInvalidArgument for git's HEAD, with the branch to say instead: emend has no current one.
Status RefuseHead(std::string_view repo, std::string_view revision);

// A revision where the repo is known already: "main~1", or "REPO@main~1" with that repo.
// kInvalidArgument if it is empty.
Result<std::string> ParseRevisionOf(const std::string& repo, std::string_view text);

}  // namespace emend::api::cli
