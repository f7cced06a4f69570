#include <algorithm>
#include <functional>

#include "storage/base/archive.h"
#include "storage/objects/canonical.h"
#include "storage/objects/edit.h"

namespace emend::storage::objects {
namespace {

bool IsStrictlySorted(const std::vector<EditId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

}  // namespace

std::string_view CommitKindName(CommitKind kind) {
  switch (kind) {
    case CommitKind::kImport: return "import";
    case CommitKind::kEdit: return "edit";
    case CommitKind::kRevert: return "revert";
    case CommitKind::kMerge: return "merge";
    case CommitKind::kCherryPick: return "cherry_pick";
    case CommitKind::kRebase: return "rebase";
    case CommitKind::kRefit: return "refit";
  }
  return "unknown";
}

std::string EncodeCommit(const Commit& commit) {
  EMEND_CHECK(IsStrictlySorted(commit.added) && IsStrictlySorted(commit.removed),
              "a commit's added and removed edits are not sorted, or one is there twice");
  return EncodeRecord(commit);
}

Result<Commit> DecodeCommit(std::string_view stored) {
  Decoder in(stored);
  Commit commit;
  ReadFields(in, commit);
  if (in.ok() && !(IsStrictlySorted(commit.added) && IsStrictlySorted(commit.removed)))
    in.Fail("found a list of edits that is not sorted");
  return FinishCanonical(in, std::move(commit), stored, "commit", EncodeCommit);
}

CommitId IdOf(const Commit& commit) { return CommitId(Sha256(EncodeCommit(commit))); }

}  // namespace emend::storage::objects
