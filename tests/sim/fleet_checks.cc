// What the fleet simulation checks beyond the history of its repos.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "coordinator/jobs/job_queue.h"
#include "storage/records/audit_chain.h"
#include "tests/sim/fleet_sim.h"

namespace emend::test {
namespace {

using nlohmann::json;
using storage::records::AuditEntry;
using storage::records::OperationState;

// Operations that have left the queue to end, while their end is written and not yet told.
constexpr std::size_t kEndingMax = 8;

using coordinator::jobs::kQueueMax;
using coordinator::jobs::kQueueOfRepoMax;

// How an operation may fail while workers and coordinator come and go, and clients revert each
// other's commits.
bool MayFailWith(const storage::records::Operation& operation, bool is_cancelled) {
  const std::string& slug = operation.error_slug;
  if (slug == "deadline_passed")
    return operation.deadline_ms != 0 && operation.finished_ms >= operation.deadline_ms;
  if (slug == "cancelled") return is_cancelled;
  if (slug == "nothing_to_revert" || slug == "failed_precondition")
    return operation.kind == "revert";
  return slug == "worker_lost" && operation.kind != "revert";
}

// Repo and branch that the operation moves; empty: none.
std::string MovedBy(storage::kv::KvStore& store, const std::string& id) {
  const storage::records::Operation operation =
      storage::records::ReadOperation(store, OperationId(id)).value();
  if (operation.kind != "commit" && operation.kind != "revert") return "";
  return operation.repo + " " + json::parse(operation.request)["branch"].get<std::string>();
}

// The runs of one life of the coordinator, as its log tells them.
class Runs {
 public:
  void Restart() {
    waiting_.clear();
    moving_.clear();
  }
  void Accept(const std::string& id, const std::string& repo) {
    waiting_[id] = repo;
    const auto of_repo =
        std::ranges::count_if(waiting_, [&](const auto& entry) { return entry.second == repo; });
    longest_ = std::max(longest_, waiting_.size());
    EXPECT_LE(waiting_.size(), kQueueMax + kEndingMax) << id;
    EXPECT_LE(static_cast<std::size_t>(of_repo), kQueueOfRepoMax + kEndingMax) << id;
  }
  // `branch` is empty if it moves none.
  void Start(const std::string& id, const std::string& branch, std::size_t together) {
    waiting_.erase(id);
    if (branch.empty()) return;
    Run& run = moving_[branch];
    EXPECT_TRUE(run.members.empty() || run.started < run.together)
        << id << " moves " << branch << " while another run does";
    if (run.members.empty()) run = {.together = together, .started = 0, .members = {}};
    ++run.started;
    run.members.insert(id);
  }
  void End(const std::string& id, const std::string& branch) {
    waiting_.erase(id);
    if (!branch.empty()) moving_[branch].members.erase(id);
  }
  std::size_t longest() const { return longest_; }

 private:
  struct Run {
    std::size_t together = 0;
    std::size_t started = 0;
    std::set<std::string> members;
  };
  std::map<std::string, std::string> waiting_;  // operation to repo
  std::map<std::string, Run> moving_;           // by repo and branch
  std::size_t longest_ = 0;
};

}  // namespace

void FleetSimulation::CheckText(const RepoName& repo, const CommitId& commit, const StateId& state,
                                const std::string& text) {
  const auto repository = storage::history::Repository::Open(cluster_.store(), repo);
  EXPECT_EQ(repository->ReadCommit(commit)->state, state);
  EXPECT_EQ(text, oracle_.TextOf(repo, state))
      << "a text from other bytes than those of commit " << commit.Hex();
}

void FleetSimulation::CheckRefused(const Status& status) {
  static const std::set<std::string> kAllowed = {"worker_lost",     "no_worker", "state_not_live",
                                                 "base_not_loaded", "base_busy", "cancelled",
                                                 "unavailable",     "queue_full"};
  EXPECT_TRUE(kAllowed.contains(status.slug())) << status.ToString();
}

void FleetSimulation::CheckEnd(const Operation& operation, const Wish& wish) {
  std::string what = operation.error_slug;
  if (operation.state == OperationState::kSucceeded) {
    const json result = json::parse(operation.result);
    what = result.value("commit", "done").substr(0, 12);
    EXPECT_TRUE(operation.kind != "verify" || result["ok"]) << operation.result;
    ++counts_["succeeded: " + operation.kind];
  } else {
    EXPECT_TRUE(MayFailWith(operation, cancelled_keys_.contains(wish.key)))
        << operation.kind << ": " << operation.error_slug << ": " << operation.error_message;
    ++counts_["failed: " + operation.error_slug];
  }
  ++counts_["operations"];
  EXPECT_TRUE(ended_.emplace(operation.id, operation).second)
      << operation.id.value() << " was begun by two keys";
  EXPECT_EQ(by_key_.emplace(wish.key, operation.id).first->second, operation.id)
      << "the key " << wish.key << " began two operations";
  cluster_.sim().Record(operation.id.value() + " " + operation.kind + " " + what);
}

void FleetSimulation::CheckFsck() {
  const auto checked = cluster_.sim().Await(
      cluster_.Complete("fsck", json::object(), "", {.repo = RepoName("")}), std::chrono::hours(1));
  ASSERT_TRUE(checked.has_value());
  EXPECT_TRUE(json::parse(checked->result)["ok"]) << checked->result;
}

void FleetSimulation::CheckRecords() {
  for (const auto& [id, seen] : ended_) {
    const Operation stored = storage::records::ReadOperation(cluster_.store(), id).value();
    EXPECT_EQ(stored.state, seen.state) << id.value();
    EXPECT_EQ(stored.finished_ms, seen.finished_ms) << id.value();
    EXPECT_EQ(stored.error_slug, seen.error_slug) << id.value();
    EXPECT_EQ(stored.result, seen.result) << id.value();
  }
  std::map<std::string, int> accepted, ended;
  const auto count = [&](const AuditEntry& entry, const Digest&) {
    if (!entry.act.act.starts_with("operation.")) return true;
    ++(entry.act.act == "operation.accept" ? accepted : ended)[entry.act.ids.front().second];
    return true;
  };
  EXPECT_TRUE(storage::records::WalkChain(cluster_.store(), 1, count).ok());
  EXPECT_EQ(accepted.size(), ended_.size() + 1)
      << "with fsck, every operation is one that a client began";
  EXPECT_EQ(ended.size(), accepted.size());
  for (const auto& [id, times] : accepted) EXPECT_EQ(times, 1) << id;
  for (const auto& [id, times] : ended) EXPECT_EQ(times, 1) << id << " ended more than once";
}

void FleetSimulation::CheckGenerations() {
  static constexpr std::string_view kJoined = " joined at generation ";
  std::map<std::string, std::string> groups;  // by worker
  for (std::size_t i = 0; i < cluster_.workers(); ++i)
    groups[cluster_.worker(i).name] = cluster_.worker(i).group;
  std::map<std::string, std::uint64_t> last;            // by worker
  std::map<std::string, std::set<std::uint64_t>> used;  // by group
  for (const std::string& event : events()) {
    const std::size_t at = event.find(kJoined);
    if (at == std::string::npos) continue;
    const std::size_t name = event.find(' ') + 1;
    const std::uint64_t generation = std::stoull(event.substr(at + kJoined.size()));
    const std::string worker = event.substr(name, at - name);
    EXPECT_TRUE(used[groups.at(worker)].insert(generation).second)
        << event << ", as another did before";
    EXPECT_GT(generation, last[worker]) << event;
    last[worker] = generation;
    ++counts_["joins"];
  }
}

void FleetSimulation::CheckLog() {
  Runs runs;
  std::map<std::string, std::uint64_t> formed;
  std::ifstream log(log_.path());
  for (std::string text; std::getline(log, text);) {
    const json line = json::parse(text);
    const std::string event = line["event"];
    ++counts_["log: " + event];
    if (event == "coordinator_started") runs.Restart();
    if (event == "operation_accepted") runs.Accept(line["operation"], line["repo"]);
    if (event == "operation_started")
      runs.Start(line["operation"], MovedBy(cluster_.store(), line["operation"]), line["together"]);
    // It moves nothing any more, also while its end waits to be recorded.
    if (event == "operation_ended" || event == "operation_end_not_recorded")
      runs.End(line["operation"], MovedBy(cluster_.store(), line["operation"]));
    EXPECT_FALSE(event == "operation_retried" && text.find("stale_head") != std::string::npos)
        << text;
    if (event == "group_formed") {
      const std::uint64_t generation = line["generation"];
      EXPECT_GT(generation, formed[line["group"]]) << text;
      formed[line["group"]] = generation;
    }
  }
  counts_["longest queue"] = runs.longest();
}

}  // namespace emend::test
