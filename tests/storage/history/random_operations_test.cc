#include <random>
#include <set>

#include "storage/history/fsck.h"
#include "tests/storage/history/history_fixture.h"
#include "tests/storage/objects/test_seed.h"

namespace emend::storage::history::random_operations_test {
namespace {

using test::Ids;

// What a repo must be, without tries, hashes or a store.
struct Oracle {
  struct Node {
    std::set<EditId> set;
    std::set<EditId> added;
    std::set<EditId> removed;
  };
  std::map<CommitId, Node> commits;
  std::map<std::string, CommitId> branches;
  std::map<std::string, CommitId> tags;
  std::map<std::string, std::vector<CommitId>> reflogs;

  void Move(const std::string& branch, const CommitId& to) {
    reflogs[branch].push_back(to);
    branches[branch] = to;
    if (to.IsZero()) branches.erase(branch);
  }
  void Commit(const std::string& branch, const CommitId& id, const Ids& added, const Ids& removed) {
    Node node = commits[branches[branch]];
    node.added = {added.begin(), added.end()};
    node.removed = {removed.begin(), removed.end()};
    for (const EditId& edit : removed) node.set.erase(edit);
    node.set.insert(added.begin(), added.end());
    commits[id] = node;
    Move(branch, id);
  }
};

class RandomOperationsTest : public test::HistoryTest {
 protected:
  template <typename Map>
  const typename Map::key_type& Any(const Map& map) {
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(random_() % map.size()))->first;
  }

  // Each edit has a slot of its own, so that a revert is never blocked.
  void CommitEdits(const std::string& branch) {
    const std::set<EditId> set = oracle_.commits[oracle_.branches[branch]].set;
    Ids removed;
    for (const EditId& id : set) {
      if (random_() % 8 == 0) removed.push_back(id);
    }
    const Ids added = StoreEdits(next_edit_, static_cast<int>(random_() % 12));
    next_edit_ += static_cast<int>(added.size());
    oracle_.Commit(branch, Commit(branch, added, removed), added, removed);
  }

  void Revert(const std::string& branch) {
    const Oracle::Node undone = oracle_.commits[Any(oracle_.commits)];
    const std::set<EditId> set = oracle_.commits[oracle_.branches[branch]].set;
    Ids removed;
    Ids added;
    for (const EditId& id : undone.added) {
      if (set.contains(id)) removed.push_back(id);
    }
    for (const EditId& id : undone.removed) {
      if (!set.contains(id)) added.push_back(id);
    }
    const auto same =
        std::find_if(oracle_.commits.begin(), oracle_.commits.end(), [&](const auto& c) {
          return c.second.added == undone.added && c.second.removed == undone.removed;
        });
    const auto plan = PlanRevert(repo(), RefOf(branch), same->first);
    ASSERT_EQ(plan.ok(), !removed.empty() || !added.empty());
    if (!plan.ok()) return;
    ASSERT_EQ(plan->removed, removed);
    ASSERT_EQ(plan->added, added);
    oracle_.Commit(branch, Commit(branch, plan->added, plan->removed), added, removed);
  }

  void Reset(const std::string& branch) {
    const CommitId to = Any(oracle_.commits);
    Must(Move(RefKind::kBranch, branch, to, Head(branch), "reset"));
    oracle_.Move(branch, to);
  }

  void MakeOrDeleteBranch() {
    const std::string name = "b" + std::to_string(random_() % 5);
    const bool is_there = oracle_.branches.contains(name);
    const CommitId to = is_there ? CommitId() : Any(oracle_.commits);
    Must(Move(RefKind::kBranch, name, to, is_there ? oracle_.branches[name] : CommitId()));
    oracle_.Move(name, to);
  }

  void MakeTag() {
    const std::string name = "t" + std::to_string(random_() % 20);
    const CommitId to = Any(oracle_.commits);
    const bool is_there = oracle_.tags.contains(name);
    EXPECT_EQ(Move(RefKind::kTag, name, to, CommitId()).code(),
              is_there ? StatusCode::kAlreadyExists : StatusCode::kOk);
    oracle_.tags.emplace(name, to);
  }

  void Step() {
    const std::string branch = Any(oracle_.branches);
    switch (random_() % 8) {
      case 0: return Revert(branch);
      case 1: return Reset(branch);
      case 2: return MakeOrDeleteBranch();
      case 3: return MakeTag();
      default: return CommitEdits(branch);
    }
  }

  void ExpectSameAsOracle() {
    std::map<std::string, CommitId> found[2];
    for (const Ref& ref : Must(repo().ListRefs()))
      found[ref.kind == RefKind::kTag ? 1 : 0][ref.name] = ref.commit;
    ASSERT_EQ(found[0], oracle_.branches);
    ASSERT_EQ(found[1], oracle_.tags);
    for (const auto& [branch, moves] : oracle_.reflogs) {
      const auto reflog = Must(repo().Reflog(branch, moves.size() + 1));
      ASSERT_EQ(reflog.size(), moves.size());
      for (std::size_t i = 0; i < moves.size(); ++i)
        ASSERT_EQ(reflog[moves.size() - 1 - i].to, moves[i]);
    }
    for (const auto& [id, node] : oracle_.commits)
      ASSERT_EQ(Active(id), Ids(node.set.begin(), node.set.end()));
  }

  Oracle oracle_;
  std::mt19937_64 random_;
  int next_edit_ = 0;
};

TEST_F(RandomOperationsTest, AgreeWithTheOracle) {
  random_.seed(emend::test::TestSeed());
  oracle_.commits[import_] = {};
  oracle_.Move("main", import_);
  for (int step = 0; step < 300; ++step) {
    Step();
    if (HasFatalFailure()) FAIL() << "step " << step;
    if (step % 50 == 49) ExpectSameAsOracle();
  }
  for (const Problem& problem : Fsck(*store_, *journal_).problems)
    ADD_FAILURE() << problem.where << ": " << problem.what;
}

}  // namespace
}  // namespace emend::storage::history::random_operations_test
