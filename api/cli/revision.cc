#include "api/cli/revision.h"

namespace emend::api::cli {

Status RefuseHead(std::string_view repo, std::string_view revision) {
  if (!revision.starts_with("HEAD") ||
      revision.substr(4).find_first_not_of("~^@{}0123456789") != revision.npos)
    return OkStatus();
  const std::string instead = "main" + std::string(revision.substr(4));
  return InvalidArgument("reading \"" + std::string(revision) +
                         "\": emend has no HEAD, since no branch is checked out; name the branch, "
                         "such as " +
                         instead + " or " + std::string(repo) + "@" + instead);
}

Result<RepoRevision> ParseRepoRevision(std::string_view text) {
  const std::size_t at = text.find('@');
  RepoRevision parsed{
      .repo = std::string(text.substr(0, at)),
      .revision = at == std::string_view::npos ? "main" : std::string(text.substr(at + 1))};
  if (parsed.revision.starts_with('{')) parsed.revision = "main@" + parsed.revision;
  if (parsed.repo.empty() || parsed.revision.empty()) {
    return InvalidArgument(
        "reading \"" + std::string(text) +
        "\": expected REPO or REPO@REVISION, such as atlas, atlas@main~1 or atlas@3f2a91c0d4e5");
  }
  EMEND_RETURN_IF_ERROR(RefuseHead(parsed.repo, parsed.revision));
  return parsed;
}

Result<std::string> ParseRevisionOf(const std::string& repo, std::string_view text) {
  const std::string prefix = repo + "@";
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  if (text.empty())
    return InvalidArgument("reading a revision of " + repo +
                           ": it is empty; expected one such as main, main~1 or 3f2a91c0d4e5");
  EMEND_RETURN_IF_ERROR(RefuseHead(repo, text));
  return std::string(text);
}

}  // namespace emend::api::cli
