#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "storage/base/encoding.h"
#include "storage/objects/canonical.h"
#include "storage/objects/edit.h"

namespace emend::storage::objects {
namespace {

constexpr std::uint16_t kCommitVersion = 1;
constexpr std::uint16_t kEvaluationVersion = 1;

bool IsStrictlySorted(const std::vector<EditId>& ids) {
  return std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>()) == ids.end();
}

// One form for every number: −0 is 0, and there is one NaN (the mean over no prompts).
void EncodeMeasure(Encoder& out, double value) {
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  out.F64(value == 0 ? 0 : value);
}

void EncodeEvaluation(Encoder& out, const std::optional<Evaluation>& evaluation) {
  out.Bool(evaluation.has_value());
  if (!evaluation) return;
  const Evaluation& e = *evaluation;
  out.U16(static_cast<std::uint16_t>(RecordType::kEvaluation));
  out.U16(kEvaluationVersion);
  out.U64(e.records);
  for (const double value : {e.es, e.ps, e.ns, e.score, e.es_argmax, e.ps_argmax, e.ns_argmax})
    EncodeMeasure(out, value);
}

std::optional<Evaluation> DecodeEvaluation(Decoder& in) {
  if (!in.Bool()) return std::nullopt;
  in.Record(RecordType::kEvaluation, kEvaluationVersion);
  Evaluation e;
  e.records = in.U64();
  for (double* value : {&e.es, &e.ps, &e.ns, &e.score, &e.es_argmax, &e.ps_argmax, &e.ns_argmax})
    *value = in.F64();
  return e;
}

template <typename Id>
void EncodeIds(Encoder& out, const std::vector<Id>& ids) {
  out.Count(ids.size());
  for (const Id& id : ids) out.Id(id);
}

template <typename Id>
std::vector<Id> DecodeIds(Decoder& in) {
  std::vector<Id> ids(in.Count(Digest::kSize));
  for (Id& id : ids) id = in.ReadId<Id>();
  return ids;
}

std::vector<EditId> DecodeSortedIds(Decoder& in) {
  std::vector<EditId> ids = DecodeIds<EditId>(in);
  if (in.ok() && !IsStrictlySorted(ids)) in.Fail("found a list of edits that is not sorted");
  return ids;
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
  Encoder out(RecordType::kCommit, kCommitVersion);
  out.U8(static_cast<std::uint8_t>(commit.kind));
  EncodeIds(out, commit.parents);
  out.Id(commit.base);
  out.Id(commit.state);
  out.Text(commit.author);
  out.Text(commit.token_id);
  out.I64(commit.time_ms);
  out.Text(commit.message);
  EncodeIds(out, commit.added);
  EncodeIds(out, commit.removed);
  out.Text(commit.settings);
  out.U64(commit.seed);
  out.Text(commit.statistics);
  EncodeEvaluation(out, commit.before);
  EncodeEvaluation(out, commit.after);
  return std::move(out).bytes();
}

Result<Commit> DecodeCommit(std::string_view stored) {
  constexpr auto kLast = static_cast<std::uint8_t>(CommitKind::kRefit);
  Decoder in(stored);
  in.Record(RecordType::kCommit, kCommitVersion);
  Commit commit;
  const std::uint8_t kind = in.U8();
  if (kind == 0 || kind > kLast)
    in.Fail("found " + std::to_string(kind) + " for a commit's kind, expected 1 to " +
            std::to_string(kLast));
  commit.kind = static_cast<CommitKind>(kind);
  commit.parents = DecodeIds<CommitId>(in);
  commit.base = in.ReadId<BaseId>();
  commit.state = in.ReadId<StateId>();
  commit.author = in.Text();
  commit.token_id = in.Text();
  commit.time_ms = in.I64();
  commit.message = in.Text();
  commit.added = DecodeSortedIds(in);
  commit.removed = DecodeSortedIds(in);
  commit.settings = in.Text();
  commit.seed = in.U64();
  commit.statistics = in.Text();
  commit.before = DecodeEvaluation(in);
  commit.after = DecodeEvaluation(in);
  return FinishCanonical(in, std::move(commit), stored, "commit", EncodeCommit);
}

CommitId IdOf(const Commit& commit) { return CommitId(Sha256(EncodeCommit(commit))); }

}  // namespace emend::storage::objects
