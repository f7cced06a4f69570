#include "api/cli/revision.h"

namespace emend::api::cli {

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
  return parsed;
}

Result<std::string> ParseRevisionOf(const std::string& repo, std::string_view text) {
  const std::string prefix = repo + "@";
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  if (text.empty())
    return InvalidArgument("reading a revision of " + repo +
                           ": it is empty; expected one such as main, main~1 or 3f2a91c0d4e5");
  return std::string(text);
}

}  // namespace emend::api::cli
