// Cost of history on a store in memory: what hashing, encoding and the trie take, without a disk.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>

#include "storage/base/clock.h"
#include "storage/history/set_algebra.h"
#include "tests/support/memory_file_system.h"
#include "tests/support/memory_kv.h"

namespace emend::storage::history {
namespace {

using Ids = std::vector<EditId>;

template <typename T>
T Must(Result<T> result) {
  EMEND_CHECK(result.ok(), result.status().ToString());
  return std::move(result).value();
}
void Must(const Status& status) { EMEND_CHECK(status.ok(), status.ToString()); }

Ids Numbered(std::size_t first, std::size_t count) {
  Ids ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(EditId(Sha256(std::to_string(first + i))));
  std::sort(ids.begin(), ids.end());
  return ids;
}

// A repo on an empty base.
struct Store {
  Store() {
    const objects::Base base;
    const RepoRecord record{RepoName("bench"),
                            objects::RepoId(std::string(16, 'b')),
                            objects::IdOf(base),
                            objects::EncodeBase(base),
                            {},
                            0};
    Must(journal->Commit(principal, [&](records::Transaction& transaction) -> Status {
      EMEND_ASSIGN_OR_RETURN(head, Repository::Create(transaction, record, "import"));
      return OkStatus();
    }));
  }
  Repository Open() { return Must(Repository::Open(*kv, RepoName("bench"))); }

  // A commit of new edits, each with a fact, on main.
  void Commit(std::size_t count) {
    Must(journal->Commit(principal, [&](records::Transaction& transaction) -> Status {
      const Repository repo = Open();
      objects::Commit commit;
      commit.parents = {head};
      commit.base = repo.record().base;
      for (std::size_t i = 0; i < count; ++i)
        commit.added.push_back(repo.objects().PutEdit(transaction.batch(), NewEdit()));
      std::sort(commit.added.begin(), commit.added.end());
      EMEND_ASSIGN_OR_RETURN(const objects::Commit parent, repo.ReadCommit(head));
      EMEND_ASSIGN_OR_RETURN(commit.state,
                             repo.DeriveState(transaction.batch(), parent.state, commit.added, {}));
      repo.objects().PutManifest(transaction.batch(), {commit.state, {}});
      EMEND_ASSIGN_OR_RETURN(head, repo.Advance(transaction, "main", head, commit));
      return OkStatus();
    }));
  }
  objects::Edit NewEdit() {
    objects::Fact fact;
    fact.prompt = "The mother tongue of {} is";
    fact.subject = "Person " + std::to_string(edits++);
    fact.target = "English";
    fact.paraphrases = {fact.subject + ", a native", fact.subject + " spoke the language"};
    objects::Edit edit;
    edit.salt = std::string(16, 's');
    edit.facts = {fact};
    edit.method = "memit";
    return edit;
  }

  std::unique_ptr<test::MemoryKv> kv = test::NewMemoryKv();
  test::MemoryFileSystem files;
  SystemClock clock;
  records::Principal principal{"bench", ""};
  std::unique_ptr<records::Journal> journal =
      Must(records::Journal::Open(*kv, files, clock, "anchor"));
  CommitId head;
  std::size_t edits = 0;
};

// A commit of 100 edits on a repo that has `range` already.
void BM_CommitHundredEdits(benchmark::State& state) {
  Store store;
  for (std::int64_t i = 0; i < state.range(0); i += 1000) store.Commit(1000);
  for (auto _ : state) store.Commit(100);
}
BENCHMARK(BM_CommitHundredEdits)->Arg(0)->Arg(10000)->Unit(benchmark::kMillisecond)->Iterations(50);

struct Trie {
  explicit Trie(std::size_t size) {
    kv::WriteBatch batch;
    objects::EditSets sets(objects);
    root = Must(sets.Change(batch, sets.Empty(batch), Numbered(0, size), {}));
    Must(kv->Write(batch, kv::Durability::kUnsynced));
  }
  std::unique_ptr<test::MemoryKv> kv = test::NewMemoryKv();
  objects::ObjectStore objects{*kv, objects::RepoId(std::string(16, 'b'))};
  ObjectId root;
};

// `range` ids in and as many out, in a set of 10^5.
void BM_ChangeOfHundredThousand(benchmark::State& state) {
  const Trie trie(100000);
  const auto count = static_cast<std::size_t>(state.range(0));
  const Ids added = Numbered(1000000, count);
  const Ids removed = Numbered(500, count);
  std::size_t nodes = 0;
  for (auto _ : state) {
    kv::WriteBatch batch;
    Must(objects::EditSets(trie.objects).Change(batch, trie.root, added, removed).status());
    nodes = batch.changes().size();
  }
  state.counters["nodes"] = static_cast<double>(nodes);
}
BENCHMARK(BM_ChangeOfHundredThousand)->Arg(1)->Arg(100)->Unit(benchmark::kMicrosecond);

void BM_DiffOfHundredThousand(benchmark::State& state) {
  const Trie trie(100000);
  kv::WriteBatch batch;
  const ObjectId changed =
      Must(objects::EditSets(trie.objects)
               .Change(batch, trie.root, Numbered(1000000, 100), Numbered(500, 100)));
  Must(trie.kv->Write(batch, kv::Durability::kUnsynced));
  for (auto _ : state) Must(objects::EditSets(trie.objects).Diff(trie.root, changed).status());
}
BENCHMARK(BM_DiffOfHundredThousand)->Unit(benchmark::kMicrosecond);

void BM_BuildHundredThousand(benchmark::State& state) {
  for (auto _ : state) Trie(100000);
}
BENCHMARK(BM_BuildHundredThousand)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace emend::storage::history

BENCHMARK_MAIN();
