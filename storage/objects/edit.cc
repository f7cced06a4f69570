#include "storage/objects/edit.h"

#include <algorithm>
#include <functional>

#include "storage/base/archive.h"
#include "storage/objects/canonical.h"

namespace emend::storage::objects {
namespace {

constexpr std::size_t kSaltBytes = 16;

bool IsStrictlySorted(const std::vector<EditId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

void WritePlaintext(Encoder& out, const Edit& edit) {
  FieldWriter writer(out);
  writer.WriteHead(Edit::kHead);
  writer.Write(Edit::Plaintext(edit));
}

}  // namespace

std::string EncodeBase(const Base& base) { return EncodeRecord(base); }

Result<Base> DecodeBase(std::string_view stored) {
  return DecodeCanonical<Base>(stored, "base", EncodeBase);
}

BaseId IdOf(const Base& base) { return BaseId(Sha256(EncodeBase(base))); }

std::string EncodeEdit(const Edit& edit) {
  EMEND_CHECK(edit.salt.size() == kSaltBytes,
              "an edit's salt has " + std::to_string(edit.salt.size()) + " bytes, expected 16");
  EMEND_CHECK(!edit.facts.empty(), "an edit has no fact");
  return EncodeRecord(edit);
}

Result<Edit> DecodeEdit(std::string_view stored) {
  Decoder in(stored);
  Edit edit;
  ReadFields(in, edit);
  if (in.ok() && edit.facts.empty()) in.Fail("found no fact, expected at least one");
  if (in.ok() && edit.salt.size() != kSaltBytes)
    in.Fail("found a salt of " + std::to_string(edit.salt.size()) + " bytes, expected 16");
  return FinishCanonical(in, std::move(edit), stored, "edit", EncodeEdit);
}

EditId IdOf(const Edit& edit) {
  Encoder out;
  out.Text(edit.salt);
  WritePlaintext(out, edit);
  return EditId(Sha256(out.bytes()));
}

std::string EncodeState(const State& state) { return EncodeRecord(state); }

Result<State> DecodeState(std::string_view stored) {
  return DecodeCanonical<State>(stored, "state", EncodeState);
}

StateId IdOf(const State& state) { return StateId(Sha256(EncodeState(state))); }

std::string EncodeManifest(const Manifest& manifest) {
  // a manifest lies under its state's id, which does not cover these bytes
  std::string bytes = EncodeRecord(manifest);
  const Digest own = Sha256(bytes);
  return bytes.append(own.Raw());
}

Result<Manifest> DecodeManifest(std::string_view stored) {
  Decoder in(stored);
  Manifest manifest;
  ReadFields(in, manifest);
  in.ReadId<Digest>();  // FinishCanonical compares it
  return FinishCanonical(in, std::move(manifest), stored, "manifest", EncodeManifest);
}

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
