#include "tests/sim/history_oracle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "coordinator/core/state_builder.h"

namespace emend::test {

using nlohmann::json;
using storage::objects::Commit;
using storage::records::OperationState;

namespace {

constexpr std::size_t kAll = 1'000'000;

bool MovesABranch(const storage::records::Operation& operation) {
  return operation.kind == "commit" || operation.kind == "revert";
}

}  // namespace

const coordinator::core::StoredBase& HistoryOracle::BaseOf(const Repository& repository) {
  const RepoName& repo = repository.record().name;
  const auto known = bases_.find(repo);
  if (known != bases_.end()) return known->second;
  return bases_.emplace(repo, coordinator::core::OpenBase(layout_, repository.record()).value())
      .first->second;
}

const DeltaWorker::Roots& HistoryOracle::RootsOf(const RepoName& repo, const StateId& state) {
  const auto known = roots_.find({repo, state});
  if (known != roots_.end()) return known->second;
  const Repository repository = Repository::Open(store_, repo).value();
  const auto deltas =
      coordinator::core::LoadDeltas(repository.objects(), repository.Edits(state).value());
  const auto tensors = coordinator::core::RebuildTensors(BaseOf(repository), *deltas);
  DeltaWorker::Roots& roots = roots_[{repo, state}];
  for (const auto& [name, tensor] : *tensors) roots[name] = tensor.digest;
  return roots;
}

// Made by its own operation, of its own facts.
void HistoryOracle::CheckMade(const Repository& repository, const Operation& operation) {
  const json result = json::parse(operation.result);
  const auto commit =
      repository.ReadCommit(CommitId(Digest::FromHex(result["commit"].get<std::string>()).value()));
  EXPECT_EQ(commit->state.Hex(), result["state"]);
  const json request = json::parse(storage::records::ReadOperation(store_, operation.id)->request);
  for (const EditId& edit : commit->added) {
    EXPECT_TRUE(operation.kind == "revert" ||
                repository.objects().ReadEdit(edit)->facts.front().target ==
                    request["facts"][0]["target"]);
  }
  if (operation.kind == "commit") counts_.coalesced += result["coalesced"].empty() ? 0 : 1;
  ++(operation.kind == "commit" ? counts_.commits : counts_.reverts);
}

HistoryOracle::Makers HistoryOracle::FindMakers(const Repository& repository) {
  Makers makers;
  const std::vector<Operation> operations =
      storage::records::ListOperations(store_, {}, kAll).value();
  for (const Operation& operation : operations) {
    if (operation.repo != repository.record().name.value()) continue;
    EXPECT_NE(operation.finished_ms, 0) << operation.id.value();
    if (operation.state != OperationState::kSucceeded || !MovesABranch(operation)) continue;
    const json result = json::parse(operation.result);
    // everything was held already
    if (operation.kind == "commit" && result["edits"] == 0) continue;
    EXPECT_TRUE(makers.emplace(result["commit"], operation).second)
        << operation.id.value() << " was acknowledged with another one's commit";
    CheckMade(repository, operation);
  }
  return makers;
}

void HistoryOracle::CheckMoves(const Repository& repository, const std::string& branch,
                               Makers& makers) {
  std::vector<storage::history::ReflogEntry> reflog = repository.Reflog(branch, kAll).value();
  std::ranges::reverse(reflog);
  OperationId last;
  for (const auto& entry : reflog) {
    const StateId state = repository.ReadCommit(entry.to)->state;
    EXPECT_EQ(repository.objects().ReadManifest(state)->roots,
              RootsOf(repository.record().name, state))
        << entry.to.Hex();
    if (entry.reason.starts_with("reset") || entry.reason.starts_with("import")) continue;
    const auto maker = makers.find(entry.to.Hex());
    ASSERT_NE(maker, makers.end())
        << branch << " was moved to " << entry.to.Hex() << " by no operation, or twice";
    EXPECT_LT(last, maker->second.id) << branch << " was moved against the order of acceptance";
    last = maker->second.id;
    makers.erase(maker);
  }
}

void HistoryOracle::CheckSlots(const Repository& repository, const std::vector<EditId>& edits,
                               const CommitId& commit) {
  std::set<storage::objects::Slot> held;
  for (const EditId& edit : edits) {
    const auto known = slots_.find(edit);
    const auto slot =
        known != slots_.end()
            ? known
            : slots_.emplace(edit, SlotOf(repository.objects().ReadEdit(edit)->facts.front()))
                  .first;
    EXPECT_TRUE(held.insert(slot->second).second)
        << "two edits of commit " << commit.Hex() << " hold the slot of " << slot->second.subject;
  }
}

void HistoryOracle::CheckChain(const Repository& repository, const std::string& branch) {
  const std::vector<storage::history::NumberedCommit> log =
      repository.Log(repository.Resolve(branch).value(), kAll).value();
  counts_.longest = std::max(counts_.longest, log.size());
  std::vector<EditId> edits;
  for (std::size_t i = log.size(); i-- > 0;) {
    const auto& [id, commit] = log[i];
    EXPECT_EQ(commit.parents.size(), i + 1 == log.size() ? 0U : 1U) << id.Hex();
    EXPECT_TRUE(commit.parents.empty() || commit.parents.front() == log[i + 1].id) << id.Hex();
    std::vector<EditId> left, next;
    std::ranges::set_difference(edits, commit.removed, std::back_inserter(left));
    EXPECT_EQ(left.size() + commit.removed.size(), edits.size())
        << id.Hex() << " takes out what was not there";
    std::ranges::set_union(left, commit.added, std::back_inserter(next));
    EXPECT_EQ(left.size() + commit.added.size(), next.size())
        << id.Hex() << " adds what was there already";
    edits = std::move(next);
    if (!chained_.insert(id).second) continue;
    EXPECT_EQ(repository.Edits(commit.state).value(), edits) << id.Hex();
    CheckSlots(repository, edits, id);
  }
}

void HistoryOracle::CheckRepo(const RepoName& repo, const std::vector<std::string>& branches) {
  const Repository repository = Repository::Open(store_, repo).value();
  Makers makers = FindMakers(repository);
  for (const std::string& branch : branches) {
    CheckMoves(repository, branch, makers);
    CheckChain(repository, branch);
  }
  EXPECT_TRUE(makers.empty()) << makers.begin()->second.id.value()
                              << " was acknowledged and is in no branch's log";
}

}  // namespace emend::test
