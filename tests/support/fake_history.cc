#include "tests/support/fake_history.h"

#include "coordinator/review/probes.h"
#include "coordinator/store/preset.h"
#include "coordinator/store/statistics_table.h"
#include "storage/records/operations.h"

namespace emend::test {

using storage::records::Transaction;

namespace {

constexpr char kPresetMeasures[] = R"({"n": 20,
  "default": {"settings": {"layers": "0,1", "clamp_norm_factor": "0.75"}, "es": 90, "ps": 60,
    "ns": 80, "taken": 18, "kept": 70, "kl": 0.1, "perplexity_before": 30, "perplexity_after": 31,
    "mean": 80.5, "seconds": 12.5},
  "chosen": {"settings": {"layers": "1,2", "clamp_norm_factor": "0.5"}, "es": 95, "ps": 70,
    "ns": 80, "taken": 19, "kept": 75, "kl": 0.1, "perplexity_before": 30, "perplexity_after": 31,
    "mean": 84.5, "seconds": 12.5}})";

}  // namespace

storage::objects::Fact FakeHistory::SomeFact() {
  storage::objects::Fact fact;
  fact.prompt = "The mother tongue of {} is";
  fact.subject = "Danielle Darrieux";
  fact.target = "English";
  fact.old_target = "French";
  fact.neighbours = {{"The mother tongue of Montesquieu is"},
                     {"The mother tongue of Goethe is", "German"}};
  return fact;
}

FakeHistory::FakeHistory() {
  commits_ = {history_.import_, Edit(1), Edit(2)};
  history_.Branch("team/french", commits_[1]);
  history_.Tag("v1", commits_[1]);
  PutTokens();
}

std::unique_ptr<storage::records::Journal> FakeHistory::NewJournal(storage::kv::KvStore& store) {
  return history_.Must(
      storage::records::Journal::Open(store, history_.files_, history_.clock_, "anchor"));
}

CommitId FakeHistory::Edit(int number) {
  CommitId id;
  const auto build = [&](Transaction& transaction) -> Status {
    storage::kv::WriteBatch& batch = transaction.batch();
    storage::objects::Edit edit = history_.MakeEdit(batch, number);
    edit.facts = {SomeFact()};
    const CommitId head = history_.Head();
    auto commit =
        history_.MakeCommit(batch, {head}, {history_.repo().objects().PutEdit(batch, edit)}, {},
                            "commit number " + std::to_string(number));
    commit.settings = R"({"v_lr":0.5})";
    commit.after = storage::objects::Evaluation{.records = 100,
                                                .es = 93,
                                                .ps = 84,
                                                .ns = 85.2,
                                                .score = 87.2,
                                                .es_argmax = 80,
                                                .ps_argmax = 60,
                                                .ns_argmax = 70};
    EMEND_ASSIGN_OR_RETURN(id, history_.repo().Advance(transaction, "main", head, commit));
    return OkStatus();
  };
  history_.Must(history_.journal_->Commit(history_.principal_, build));
  return id;
}

void FakeHistory::PutTokens() {
  const std::vector<std::string> all = {"ask",   "read",   "propose", "review",
                                        "merge", "deploy", "admin"};
  const auto build = [&](Transaction& transaction) {
    PutToken(transaction, {"t1", Sha256("admin-secret"), "admin", all, kTime});
    PutToken(transaction, {"t2", Sha256("reader-secret"), "reader", {"read"}, kTime});
    PutToken(transaction, {"t-0123456789ab", Sha256("nobody's"), "nobody", {"read"}, kTime});
    transaction.Audit({"token.create", {}});
    coordinator::store::PutStatistics(transaction, history_.repo().record().id,
                                      {.id = "s1",
                                       .base = history_.repo().record().base,
                                       .layers = {0, 1, 2},
                                       .tokens = 1234,
                                       .created_ms = kTime});
    coordinator::store::PutPreset(transaction, history_.repo(),
                                  {.method = "memit",
                                   .settings = {{"layers", "1,2"}, {"clamp_norm_factor", "0.5"}},
                                   .measures = kPresetMeasures,
                                   .principal = "admin",
                                   .created_ms = kTime});
    coordinator::review::PutSuite(transaction, history_.repo(), {"core", {SomeFact()}, "", 0});
    return OkStatus();
  };
  history_.Must(history_.journal_->Commit(history_.principal_, build));
}

}  // namespace emend::test
