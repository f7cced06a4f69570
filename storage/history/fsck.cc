#include "storage/history/fsck.h"

#include <algorithm>
#include <limits>

#include "storage/history/fsck_objects.h"
#include "storage/history/ref_records.h"
#include "storage/objects/keys.h"
#include "storage/records/operations.h"

namespace emend::storage::history {
namespace {

// of one branch while it is looked at: one that moves faster than that is not compared with its
// reflog
constexpr int kMovesSeenMax = 100;

// A commit that something mutable points to.
struct Root {
  CommitId commit;
  std::string from;
};

struct LoggedMove {
  std::uint64_t index = 0;
  std::string where;
  std::optional<ReflogEntry> entry;  // empty where it cannot be read
};

// Checks one repo's record, refs and reflogs, then what these reach.
class RepoCheck {
 public:
  RepoCheck(kv::KvStore& store, RepoRecord record, FsckNotes& notes)
      : store_(store),
        record_(std::move(record)),
        objects_(store, record_.id),
        where_("repo " + record_.name.value()),
        notes_(notes) {}

  void Run() {
    CheckBase();
    CheckRefs();
    CheckReflogs();
    ObjectsCheck objects(objects_, record_, notes_);
    for (const Root& root : roots_) objects.CheckFrom(root.commit, root.from);
    objects.CheckOtherEdits();
    notes_.Progress();
  }

 private:
  void CheckBase() {
    const Result<objects::Base> base = objects::DecodeBase(record_.base_encoded);
    notes_.Take(where_ + ", base", base.status());
    if (base.ok() && objects::IdOf(*base) != record_.base)
      notes_.Add(where_ + ", base", "its record is not that of base " + record_.base.Hex());
    return notes_.Take(where_ + ", base",
                       objects_.ReadObject(ObjectId(record_.base.digest())).status());
  }

  void CheckRefs() {
    bool has_branch = false;
    const auto visit = [&](std::string_view key, std::string_view value) {
      const bool is_branch = key.size() > objects::kRepoIdBytes &&
                             key[objects::kRepoIdBytes] == static_cast<char>(RefKind::kBranch);
      const std::string name(key.substr(std::min(key.size(), objects::kRepoIdBytes + 1)));
      const std::string where =
          where_ + ", " + std::string(RefKindName(is_branch ? RefKind::kBranch : RefKind::kTag)) +
          " " + name;
      const Result<Ref> ref = DecodeRef(value);
      const bool is_whole = ref.ok() && RefKey(record_.id, ref->kind, ref->name) == key;
      if (!is_whole)
        notes_.Add(where, ref.ok() ? "found " + std::string(RefKindName(ref->kind)) + " " +
                                         ref->name + " in its place"
                                   : ref.status().message());
      if (is_whole) roots_.push_back({ref->commit, where});
      if (is_branch) heads_[name] = is_whole ? std::optional(ref->commit) : std::nullopt;
      has_branch = has_branch || is_branch;
      return true;
    };
    const Status scanned = store_.Scan(kv::ColumnFamily::kRefs, record_.id.value(), "", visit);
    notes_.Take(where_ + ", refs", scanned);
    if (scanned.ok() && !has_branch) notes_.Add(where_, "it has no branch");
  }

  void CheckReflogs() {
    std::map<std::string, std::vector<LoggedMove>> logs;  // newest first, as they are stored
    const auto visit = [&](std::string_view key, std::string_view value) {
      const Result<ReflogPlace> place = ParseReflogKey(key);
      if (!place.ok()) {
        notes_.Add(where_ + ", reflog", place.status().message());
        return true;
      }
      const std::string where =
          where_ + ", reflog of " + place->branch + ", entry " + std::to_string(place->index);
      const Result<ReflogEntry> entry = DecodeReflogEntry(place->branch, value);
      const bool is_whole = entry.ok() && entry->index == place->index;
      if (!is_whole)
        notes_.Add(where, entry.ok()
                              ? "found entry " + std::to_string(entry->index) + " in its place"
                              : entry.status().message());
      logs[place->branch].push_back(
          {place->index, where, is_whole ? std::optional(*entry) : std::nullopt});
      return true;
    };
    const Status scanned = store_.Scan(kv::ColumnFamily::kReflog, record_.id.value(), "", visit);
    // a part of a log tells nothing about its head
    if (!scanned.ok()) return notes_.Take(where_ + ", reflogs", scanned);
    for (const auto& [branch, head] : heads_) {
      if (!logs.contains(branch))
        notes_.Add(where_ + ", reflog of " + branch, "it is empty, but there is such a branch");
    }
    for (const auto& [branch, moves] : logs) {
      CheckMoves(where_ + ", reflog of " + branch, moves);
      CheckHead(branch, moves.front());
    }
  }

  // Without a gap from the newest to the first, each beginning where the one before it ended.
  void CheckMoves(const std::string& where, const std::vector<LoggedMove>& moves) {
    for (std::size_t i = 0; i < moves.size(); ++i) {
      const LoggedMove& move = moves[i];
      const LoggedMove* older = i + 1 < moves.size() ? &moves[i + 1] : nullptr;
      if (move.index != (older ? older->index + 1 : 0))
        notes_.Add(where, "the entry before " + std::to_string(move.index) + " is missing");
      if (!move.entry) continue;
      if (older && older->entry && older->entry->to != move.entry->from) {
        notes_.Add(move.where, "it begins at " + move.entry->from.Hex() +
                                   ", the one before it ended at " + older->entry->to.Hex());
      }
      for (const CommitId& commit : {move.entry->from, move.entry->to}) {
        if (!commit.IsZero()) roots_.push_back({commit, move.where});
      }
    }
  }

  void CheckHead(const std::string& branch, const LoggedMove& newest) {
    const auto head = heads_.find(branch);
    const std::optional<CommitId> at = head == heads_.end() ? CommitId() : head->second;
    if (!at || !newest.entry || *at == newest.entry->to) return;
    // It may have moved between the two scans, which writes ref and entry at once: where the entry
    // is the same before and after, the ref must agree with it.
    for (int attempt = 0; attempt < kMovesSeenMax; ++attempt) {
      const auto before = FindNewestEntry(store_, record_.id, branch);
      const auto ref = FindRef(store_, record_.id, RefKind::kBranch, branch);
      const auto after = FindNewestEntry(store_, record_.id, branch);
      for (const Status& status : {before.status(), ref.status(), after.status()}) {
        if (!status.ok()) return notes_.Take(newest.where, status);
      }
      if (!*before || !*after || (*before)->index != (*after)->index) continue;
      const CommitId now = *ref ? (*ref)->commit : CommitId();
      if (now != (*after)->to)
        notes_.Add(newest.where,
                   "it ends at " + (*after)->to.Hex() + ", the branch is at " + now.Hex());
      return;
    }
  }

  kv::KvStore& store_;
  const RepoRecord record_;
  const objects::ObjectStore objects_;
  const std::string where_;
  FsckNotes& notes_;
  std::vector<Root> roots_;
  // of the branches; empty where the ref cannot be read
  std::map<std::string, std::optional<CommitId>> heads_;
};

std::vector<RepoRecord> CheckRepoRecords(kv::KvStore& store, FsckNotes& notes) {
  std::vector<RepoRecord> records;
  const auto visit = [&](std::string_view key, std::string_view value) {
    const std::string where = "repo " + std::string(key.substr(kRepoKeyPrefix.size()));
    Result<RepoRecord> record = DecodeRepo(value);
    if (!record.ok()) {
      notes.Add(where, record.status().message());
    } else if (RepoKey(record->name.value()) != key) {
      notes.Add(where, "found the record of repo " + record->name.value() + " in its place");
    } else {
      records.push_back(std::move(*record));
    }
    return true;
  };
  notes.Take("repos", store.Scan(kv::ColumnFamily::kMeta, kRepoKeyPrefix, "", visit));
  return records;
}

}  // namespace

FsckReport Fsck(kv::KvStore& store, const records::Journal& journal, const FsckProgress& progress) {
  FsckReport report;
  FsckNotes notes(report, progress);
  notes.Take("store", store.VerifyChecksums());
  notes.Take("audit", journal.Verify());
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  notes.Take("operations", records::ListOperations(store, {}, kAll).status());
  for (const RepoRecord& record : CheckRepoRecords(store, notes)) {
    report.repos.push_back(record.name);
    RepoCheck(store, record, notes).Run();
  }
  return report;
}

}  // namespace emend::storage::history
