// A ref moved by its caller's word, and the refs that can be asked.
//
//   EMEND_ASSIGN_OR_RETURN(const Ref main, MoveRef(journal, caller, {.repo = RepoName("atlas"),
//       .name = "main", .expected = head, .revision = "main~1"}));
//
// Blocks. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "coordinator/answers/answer_service.h"
#include "storage/history/repository.h"

namespace emend::coordinator::store {

struct RefMove {
  RepoName repo = {};
  storage::history::RefKind kind = storage::history::RefKind::kBranch;
  std::string name;
  CommitId expected = {};     // the head the caller has seen; zero: create
  std::string revision = {};  // where to; empty: delete
  std::string reason = {};    // empty: "reset: FROM -> TO"
};
// Of scope merge. Errors as Repository::Resolve and Repository::MoveRef. A move to where it is
// writes nothing.
Result<storage::history::Ref> MoveRef(storage::records::Journal& journal,
                                      const answers::Caller& caller, const RefMove& move);

// All refs of all repos.
Result<std::vector<answers::ServedModel>> ListModels(storage::kv::KvStore& store);

}  // namespace emend::coordinator::store
