#include "storage/records/anchor.h"

#include <utility>

#include "storage/base/encoding.h"
#include "storage/records/audit_chain.h"

namespace emend::storage::records {
namespace {

constexpr std::uint16_t kAnchorVersion = 1;
constexpr std::size_t kCheckedBytes = 44;
constexpr std::size_t kRecordBytes = kCheckedBytes + 4;

Status Corrupt(const std::string& path, const std::string& what) {
  return {StatusCode::kDataLoss, "anchor_corrupt",
          "reading the anchor \"" + path + "\": " + what + "; run `emend repair`"};
}

std::string Encode(const AnchorLine& line) {
  Encoder out(RecordType::kAnchor, kAnchorVersion);
  out.U64(line.sequence);
  out.Raw(line.hash.Raw());
  out.U32(Crc32c(out.bytes()));
  return std::move(out).bytes();
}

std::optional<AnchorLine> Decode(std::string_view bytes) {
  Decoder in(bytes);
  in.Record(RecordType::kAnchor, kAnchorVersion);
  AnchorLine line;
  line.sequence = in.U64();
  const std::string_view hash = in.Raw(Digest::kSize);
  if (in.ok()) line.hash = *Digest::FromRaw(hash);
  const std::uint32_t crc = in.U32();
  if (!in.Finish().ok() || crc != Crc32c(bytes.substr(0, kCheckedBytes))) return std::nullopt;
  return line;
}

// The chain's entries while they are compared with the anchor's lines.
class Comparison {
 public:
  explicit Comparison(const Anchor& anchor) : anchor_(anchor) {}

  bool Visit(const AuditEntry& entry, const Digest& hash) {
    head_ = {entry.sequence, hash};
    while (next_ < anchor_.lines.size() && anchor_.lines[next_].sequence < entry.sequence) ++next_;
    if (next_ == anchor_.lines.size() || anchor_.lines[next_].sequence != entry.sequence ||
        anchor_.lines[next_].hash == hash)
      return true;
    mismatch_ = entry.sequence;
    return false;
  }
  const AnchorLine& head() const { return head_; }
  std::uint64_t mismatch() const { return mismatch_; }

 private:
  const Anchor& anchor_;
  std::size_t next_ = 0;
  AnchorLine head_;
  std::uint64_t mismatch_ = 0;  // 0: none
};

// The last entry that the store has, wherever its chain may be broken.
Result<std::uint64_t> LastSequence(kv::KvStore& store) {
  std::uint64_t last = 0;
  EMEND_RETURN_IF_ERROR(WalkChain(store, 1, [&](const AuditEntry& entry, const Digest&) {
    last = entry.sequence;
    return true;
  }));
  return last;
}

Status BehindAnchor(const std::string& path, std::uint64_t head, std::uint64_t anchored) {
  return {StatusCode::kDataLoss, "behind_anchor",
          "comparing the store with its anchor \"" + path + "\": the audit chain ends at " +
              std::to_string(head) + ", but changes up to " + std::to_string(anchored) +
              " were acknowledged: " + std::to_string(head + 1) + " to " +
              std::to_string(anchored) +
              " are lost; restore a backup, or run `emend repair --accept-loss`"};
}

Status Judge(const std::string& path, const Anchor& anchor, const Comparison& compared) {
  const std::string doing = "comparing the store with its anchor \"" + path + "\": ";
  if (compared.mismatch() != 0) {
    return {StatusCode::kDataLoss, "anchor_mismatch",
            doing + "audit entry " + std::to_string(compared.mismatch()) +
                " is not the one that was acknowledged; this store or this anchor is another's"};
  }
  const std::uint64_t head = compared.head().sequence;
  const std::uint64_t last = anchor.last();
  // The batch is durable before its anchor line is begun: a torn line stands for an entry that the
  // chain must have.
  const std::uint64_t anchored = last + (anchor.tail == Anchor::Tail::kTorn ? 1 : 0);
  if (head < anchored) return BehindAnchor(path, head, anchored);
  if (anchor.lines.empty() && head > 0)
    return Corrupt(path, "it is missing or empty, but the audit chain has " + std::to_string(head) +
                             " entries");
  return OkStatus();
}

}  // namespace

Result<Anchor> ReadAnchor(FileSystem& file_system, const std::string& path) {
  Result<std::string> read = file_system.Read(path);
  if (!read.ok() && read.status().code() == StatusCode::kNotFound) return Anchor();
  if (!read.ok()) return read.status();
  const std::string_view bytes = *read;
  Anchor anchor;
  for (std::size_t at = 0; at < bytes.size(); at += kRecordBytes) {
    const std::optional<AnchorLine> line = Decode(bytes.substr(at, kRecordBytes));
    if (!line && bytes.size() - at > kRecordBytes)
      return Corrupt(path, "the record at byte " + std::to_string(at) + " is damaged");
    if (!line) {
      anchor.tail = Anchor::Tail::kTorn;
    } else if (!anchor.lines.empty() && line->sequence <= anchor.last()) {
      return Corrupt(
          path, "the record at byte " + std::to_string(at) + " does not follow the one before it");
    } else {
      anchor.lines.push_back(*line);
    }
  }
  return anchor;
}

Result<Anchor> ReadSurvivingAnchor(FileSystem& file_system, const std::string& path) {
  Anchor anchor;
  if (!file_system.Exists(path)) return anchor;
  EMEND_ASSIGN_OR_RETURN(const std::string bytes, file_system.Read(path));
  for (std::size_t at = 0; at < bytes.size(); at += kRecordBytes) {
    const std::optional<AnchorLine> line = Decode(std::string_view(bytes).substr(at, kRecordBytes));
    const bool follows = line && (anchor.lines.empty() || line->sequence > anchor.last());
    anchor.tail = follows ? Anchor::Tail::kWhole : Anchor::Tail::kTorn;
    if (follows) anchor.lines.push_back(*line);
  }
  return anchor;
}

Status AppendToAnchor(FileSystem& file_system, const std::string& path, const AnchorLine& line) {
  return file_system.AppendSynced(path, Encode(line));
}

Status WriteAnchor(FileSystem& file_system, const std::string& path,
                   const std::vector<AnchorLine>& lines) {
  std::string bytes;
  for (const AnchorLine& line : lines) bytes += Encode(line);
  return file_system.WriteAtomically(path, bytes, kPrivateMode);
}

Result<ChainState> CheckAgainstAnchor(kv::KvStore& store, FileSystem& file_system,
                                      const std::string& path, ChainCheck check) {
  ChainState state;
  EMEND_ASSIGN_OR_RETURN(state.anchor, ReadAnchor(file_system, path));
  Comparison comparison(state.anchor);
  const std::uint64_t first = check == ChainCheck::kWhole || state.anchor.lines.empty()
                                  ? 1
                                  : state.anchor.lines.front().sequence;
  EMEND_RETURN_IF_ERROR(WalkChain(store, first, [&](const AuditEntry& entry, const Digest& hash) {
    return comparison.Visit(entry, hash);
  }));
  if (comparison.head().sequence == 0 && first > 1) {
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t last, LastSequence(store));
    return BehindAnchor(path, last, state.anchor.last());
  }
  EMEND_RETURN_IF_ERROR(Judge(path, state.anchor, comparison));
  state.head = comparison.head();
  if (state.anchor.lines.empty() || state.head.sequence > state.anchor.last())
    state.missing = state.head;
  return state;
}

Status CompleteAnchor(FileSystem& file_system, const std::string& path, const ChainState& state) {
  if (state.anchor.tail == Anchor::Tail::kTorn ||
      state.anchor.lines.size() * kRecordBytes > kAnchorBytesMax) {
    return WriteAnchor(file_system, path, {state.head});
  }
  return state.missing ? AppendToAnchor(file_system, path, *state.missing) : OkStatus();
}

}  // namespace emend::storage::records
