#include <algorithm>
#include <cctype>
#include <charconv>

#include "storage/history/ref_records.h"
#include "storage/history/repository.h"

// The grammar of a revision, as in git:
//
//   revision = ( branch [ "@{" n "}" ] | tag | hex of 4 to 64 digits ) { "~" [n] | "^" [n] }
//
// A branch wins over a tag, a tag over hex; "refs/heads/x" and "refs/tags/x" name exactly one of
// them.
namespace emend::storage::history {
namespace {

constexpr std::size_t kHexMin = 4;
constexpr std::size_t kCandidatesShownMax = 10;
constexpr std::string_view kFullBranch = "refs/heads/";
constexpr std::string_view kFullTag = "refs/tags/";

class Resolver {
 public:
  Resolver(const Repository& repo, std::string_view revision)
      : repo_(repo), revision_(revision), rest_(revision) {}

  Result<CommitId> Run() {
    const std::size_t end = std::min(revision_.find_first_of("~^"), revision_.find("@{"));
    const std::string_view name = revision_.substr(0, end);
    rest_.remove_prefix(name.size());
    if (name.empty()) return Malformed("it names no branch, tag or commit");
    EMEND_ASSIGN_OR_RETURN(CommitId at, rest_.starts_with("@{") ? EarlierValue(name) : Named(name));
    while (!rest_.empty()) {
      EMEND_ASSIGN_OR_RETURN(at, Step(at));
    }
    return at;
  }

 private:
  std::string What() const {
    return "looking for \"" + std::string(revision_) + "\" in repo " + repo_.record().name.value();
  }
  Status Malformed(std::string_view why) const {
    return InvalidArgument(What() + ": " + std::string(why));
  }
  Status Missing(std::string_view why) const { return NotFound(What() + ": " + std::string(why)); }

  // The digits that come next; `absent` if there are none.
  Result<std::uint64_t> Number(std::uint64_t absent) {
    const auto digits = std::find_if_not(rest_.begin(), rest_.end(),
                                         [](unsigned char c) { return std::isdigit(c) != 0; });
    if (digits == rest_.begin()) return absent;
    const auto count = static_cast<std::size_t>(digits - rest_.begin());
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(rest_.data(), rest_.data() + count, value);
    if (parsed.ec != std::errc())
      return Malformed("the number " + std::string(rest_.substr(0, count)) + " is too large");
    rest_.remove_prefix(count);
    return value;
  }

  // Empty if there is no such ref, or if the name cannot be one.
  Result<std::optional<CommitId>> Ref(RefKind kind, std::string_view name) const {
    if (!CheckRefName(name).ok()) return std::optional<CommitId>();
    EMEND_ASSIGN_OR_RETURN(const std::optional<history::Ref> ref,
                           FindRef(repo_.objects().store(), repo_.record().id, kind, name));
    return ref ? std::optional(ref->commit) : std::nullopt;
  }

  Result<CommitId> FullName(RefKind kind, std::string_view name) const {
    EMEND_ASSIGN_OR_RETURN(const std::optional<CommitId> id, Ref(kind, name));
    if (!id) return Missing("there is no " + std::string(RefKindName(kind)) + " of that name");
    return *id;
  }

  Result<CommitId> Named(std::string_view name) const {
    if (name.starts_with(kFullBranch))
      return FullName(RefKind::kBranch, name.substr(kFullBranch.size()));
    if (name.starts_with(kFullTag)) return FullName(RefKind::kTag, name.substr(kFullTag.size()));
    for (const RefKind kind : {RefKind::kBranch, RefKind::kTag}) {
      EMEND_ASSIGN_OR_RETURN(const std::optional<CommitId> id, Ref(kind, name));
      if (id) return *id;
    }
    const bool is_hex = std::all_of(name.begin(), name.end(),
                                    [](unsigned char c) { return std::isxdigit(c) != 0; });
    if (is_hex && name.size() >= kHexMin) return ByHex(name);
    return Missing(
        "there is no branch or tag of that name, and it is not the beginning of a commit's id (4 "
        "hex digits or more)");
  }

  Result<CommitId> ByHex(std::string_view hex) const {
    EMEND_ASSIGN_OR_RETURN(const std::vector<CommitId> ids,
                           repo_.objects().FindCommits(hex, kCandidatesShownMax));
    if (ids.empty())
      return Missing("there is no branch or tag of that name, and no commit whose id begins so");
    if (ids.size() == 1) return ids.front();
    std::string candidates;
    for (const CommitId& id : ids) candidates += (candidates.empty() ? "" : ", ") + id.Hex();
    return Status(
        StatusCode::kInvalidArgument, "ambiguous_revision",
        What() + ": the ids of several commits begin so; give more digits of one of " + candidates);
  }

  // branch@{n}: what the branch pointed to before its last n moves. Also for a deleted branch: its
  // reflog stays.
  Result<CommitId> EarlierValue(std::string_view name) {
    const std::string_view branch =
        name.starts_with(kFullBranch) ? name.substr(kFullBranch.size()) : name;
    rest_.remove_prefix(2);
    const bool has_digits =
        !rest_.empty() && std::isdigit(static_cast<unsigned char>(rest_.front())) != 0;
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t n, Number(0));
    if (!has_digits || !rest_.starts_with('}'))
      return Malformed("expected a number and \"}\" behind \"@{\"");
    rest_.remove_prefix(1);
    EMEND_ASSIGN_OR_RETURN(const std::optional<ReflogEntry> newest,
                           FindNewestEntry(repo_.objects().store(), repo_.record().id, branch));
    if (!newest)
      return Missing("there is no branch " + std::string(branch) + ", and its reflog is empty");
    if (n > newest->index)
      return Missing("the branch has only " + std::to_string(newest->index + 1) +
                     " values in its reflog");
    const std::uint64_t index = newest->index - n;
    const std::string key = ReflogKey(repo_.record().id, branch, index);
    EMEND_ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                           repo_.objects().store().Get(kv::ColumnFamily::kReflog, key));
    if (!stored) return Missing("entry " + std::to_string(index) + " of its reflog is not there");
    EMEND_ASSIGN_OR_RETURN(const ReflogEntry entry, DecodeReflogEntry(branch, *stored));
    if (entry.to.IsZero()) return Missing("the branch was deleted at that time");
    return entry.to;
  }

  // One "~n" or "^n".
  Result<CommitId> Step(CommitId at) {
    const char step = rest_.front();
    if (step != '~' && step != '^')
      return Malformed("expected \"~\" or \"^\" at \"" + std::string(rest_) + "\"");
    rest_.remove_prefix(1);
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t n, Number(1));
    if (step == '^') return n == 0 ? Result<CommitId>(at) : Parent(at, n);
    for (std::uint64_t i = 0; i < n; ++i) {
      EMEND_ASSIGN_OR_RETURN(at, Parent(at, 1));
    }
    return at;
  }

  Result<CommitId> Parent(const CommitId& of, std::uint64_t number) const {
    EMEND_ASSIGN_OR_RETURN(const objects::Commit commit, repo_.ReadCommit(of));
    if (number <= commit.parents.size()) return commit.parents[number - 1];
    return Missing("commit " + of.Short() + " has " + std::to_string(commit.parents.size()) +
                   " parents, parent " + std::to_string(number) + " was asked for");
  }

  const Repository& repo_;
  const std::string_view revision_;
  std::string_view rest_;
};

}  // namespace

Result<CommitId> Repository::Resolve(std::string_view revision) const {
  return Resolver(*this, revision).Run();
}

}  // namespace emend::storage::history
