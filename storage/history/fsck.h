// fsck: reads everything that refs and reflogs reach, and says what is missing, changed or
// unlinked. Read-only.
//
//   const FsckReport report = Fsck(store, journal);
//   for (const Problem& problem : report.problems) Print(problem.where, problem.what);
//
// Thread-safe: commits may go on meanwhile, and are or are not seen. Blocks on the disk for as long
// as reading the store takes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/history/repository.h"

namespace emend::storage::history {

struct Problem {
  std::string where;  // "repo atlas, commit 1a2b3c4d5e6f, edit ..., payload"
  std::string what;   // what was found, what was expected
};

struct FsckReport {
  std::vector<Problem> problems;
  std::uint64_t commits = 0;
  std::uint64_t edits = 0;
  std::uint64_t payload_bytes = 0;
  std::vector<RepoName> repos;  // whose records can be read
};

// Every checksum of the store, the audit chain against the anchor, and for each repo: refs and
// reflogs point to commits; commits hash to their ids and have their parents; states, tries, edits
// and payloads are there, hash to their ids and decode; a commit's added and removed sets agree
// with its states; every state has a manifest. What is missing, changed or cannot be read is a
// problem, and the check goes on; at most 10,000 are listed. What nothing reaches (payloads of an
// operation that is accepted and not finished, edits of an abandoned one) is no problem. `progress`
// is called after each commit, edit and repo, from this thread.
using FsckProgress = std::function<void(const FsckReport&)>;
FsckReport Fsck(kv::KvStore& store, const records::Journal& journal,
                const FsckProgress& progress = {});

}  // namespace emend::storage::history
