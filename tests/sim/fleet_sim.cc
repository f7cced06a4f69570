#include "tests/sim/fleet_sim.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "coordinator/answers/ask.h"
#include "storage/base/log.h"

namespace emend::test {
namespace {

using namespace std::chrono_literals;
using coordinator::answers::AskAnswer;
using coordinator::answers::AskRequest;
using coordinator::server::CompletionPiece;
using coordinator::server::CompletionRequest;
using coordinator::server::CompletionStream;
using nlohmann::json;
using storage::history::Repository;
using storage::records::OperationState;

const char* const kRepos[] = {"atlas", "babel", "corvus", "dune"};
const char* const kBranches[] = {"main", "side", "trial"};
// of a branch: few, so that commits supersede each other, and states stay small
constexpr std::size_t kFleetSubjects = 48;
constexpr std::size_t kFactsMax = 20;
constexpr std::size_t kRevisionsBack = 6;
constexpr int kTextTokensMax = 6;
constexpr auto kEndTimeout = 5min;  // once the faults are over

constexpr int kLatenciesMs[] = {1, 5, 20};

}  // namespace

std::vector<int> FleetOf(int workers) {
  std::vector<int> groups(static_cast<std::size_t>(std::max(1, workers / 20)), 4);
  groups.insert(groups.end(), static_cast<std::size_t>(std::max(1, workers / 12)), 2);
  int ranks = 0;
  for (const int size : groups) ranks += size;
  groups.insert(groups.end(), static_cast<std::size_t>(workers - ranks), 1);
  return groups;
}

FleetSimulation::FleetSimulation(const Options& options)
    : options_(options),
      choices_(options.seed + 1000),
      faults_(options.seed + 2000),
      cluster_({.seed = options.seed,
                .groups = options.groups,
                .latency_max = std::chrono::milliseconds(
                    kLatenciesMs[options.seed % std::size(kLatenciesMs)])}),
      oracle_(cluster_.store(), cluster_.layout()),
      left_(options.operations) {}

FleetSimulation::LogFile::LogFile() { EXPECT_TRUE(LogToFile(path()).ok()); }

FleetSimulation::LogFile::~LogFile() { EXPECT_TRUE(LogToFile("/dev/null").ok()); }

Digest FleetSimulation::digest() {
  std::string all;
  for (const std::string& event : events()) all += event + "\n";
  return Sha256(all);
}

// ---- what clients ask for ----------------------------------------------------------------------

RepoName FleetSimulation::DrawRepo() { return RepoName(kRepos[Draw(std::size(kRepos))]); }

std::string FleetSimulation::DrawBranch() { return kBranches[Draw(std::size(kBranches))]; }

std::string FleetSimulation::DrawRevision(const RepoName& repo) {
  const std::string branch = DrawBranch();
  if (OneIn(2)) return branch;
  const Repository repository = Repository::Open(cluster_.store(), repo).value();
  const auto log = repository.Log(repository.Resolve(branch).value(), kRevisionsBack).value();
  return log[Draw(log.size())].id.Hex();
}

FleetSimulation::Terms FleetSimulation::DrawTerms() {
  Terms terms;
  terms.repo = DrawRepo();
  terms.priority = static_cast<storage::records::Priority>(1 + Draw(3));
  if (OneIn(8)) terms.timeout = std::chrono::seconds(1 + Draw(30));
  return terms;
}

// `name` is in every target: whose fact it is can be told from the edit.
json FleetSimulation::DrawFacts(const std::string& name, std::size_t first_subject,
                                std::size_t subjects, std::size_t count) {
  std::set<std::size_t> chosen;
  while (chosen.size() < std::min(count, subjects)) chosen.insert(first_subject + Draw(subjects));
  json facts = json::array();
  for (const std::size_t subject : chosen) {
    facts.push_back({{"prompt", "{} is"},
                     {"subject", "subject " + std::to_string(subject)},
                     {"target", "target " + name}});
  }
  return facts;
}

FleetSimulation::Wish FleetSimulation::DrawWish(const std::string& name) {
  Wish wish{.kind = "commit", .body = {}, .key = name, .terms = DrawTerms()};
  const std::size_t choice = Draw(60);
  if (choice < 28) {
    wish.body = {{"branch", DrawBranch()},
                 {"facts", DrawFacts(name, 0, kFleetSubjects, 1 + Draw(kFactsMax))},
                 {"evaluate", !OneIn(4)},
                 {"settings", {{"layers", "0,1"}}}};
  } else if (choice < 40) {
    wish.kind = "revert";
    wish.body = {{"branch", DrawBranch()}, {"commit", DrawRevision(wish.terms.repo)}};
  } else if (choice < 51) {
    wish.kind = "evaluation";
    wish.body = {{"revision", DrawRevision(wish.terms.repo)},
                 {"facts", DrawFacts(name, 0, kFleetSubjects, 1 + Draw(4))}};
  } else if (choice < 58) {
    wish.kind = "verify";
    wish.body = {{"revision", DrawRevision(wish.terms.repo)}};
  } else if (choice == 58) {
    wish.kind = "statistics";
    wish.body = {{"lines", {"a line of " + name}}};
  } else {
    wish.kind = "export";
    wish.body = {{"revision", DrawRevision(wish.terms.repo)},
                 {"format", "safetensors"},
                 {"folder", cluster_.folder() + "/export-" + name}};
  }
  return wish;
}

// ---- what clients do ---------------------------------------------------------------------------

Awaitable<int> FleetSimulation::All(std::vector<Task> tasks) {
  const auto all_ended = [&] {
    return std::ranges::all_of(tasks, [](const Task& task) { return task->has_value(); });
  };
  while (!all_ended()) co_await Sleep(cluster_.sim(), 100ms);
  co_return 0;
}

Awaitable<int> FleetSimulation::Carry(Wish wish) {
  if (OneIn(12)) repeats_.push_back(cluster_.sim().Begin(Repeat(wish, OneIn(2))));
  const Operation ended = co_await cluster_.Complete(wish.kind, wish.body, wish.key, wish.terms);
  CheckEnd(ended, wish);
  co_return 0;
}

Awaitable<int> FleetSimulation::Repeat(Wish wish, bool cancels) {
  co_await Sleep(cluster_.sim(), std::chrono::milliseconds(Draw(3000)));
  const coordinator::server::OperationView view =
      co_await cluster_.Accept(wish.kind, wish.body, wish.key, wish.terms);
  const OperationId id = by_key_.emplace(wish.key, view.operation.id).first->second;
  EXPECT_EQ(id, view.operation.id) << "the key " << wish.key << " began two operations";
  ++counts_["sent again"];
  if (!cancels) co_return 0;
  co_await Sleep(cluster_.sim(), std::chrono::milliseconds(Draw(500)));
  Service* const service = cluster_.Enter();
  if (service == nullptr) co_return 0;
  const int life = cluster_.life();
  cancelled_keys_.insert(wish.key);
  const Result<coordinator::server::OperationView> cancelled =
      co_await service->Cancel(cluster_.admin(), id);
  cluster_.Leave();
  if (life != cluster_.life()) co_return 0;
  EXPECT_TRUE(cancelled.ok() || cancelled.status().slug() == "operation_ended")
      << cancelled.status().ToString();
  ++counts_["cancellations asked for"];
  co_return 0;
}

// To one branch, about different subjects, submitted without waiting for each other.
Awaitable<int> FleetSimulation::CarryBurst(std::string name) {
  const std::size_t size = 4 + Draw(9);
  const std::string branch = DrawBranch();
  const Terms terms = DrawTerms();
  const bool evaluates = OneIn(2);
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < size && left_ > 0; ++i, --left_) {
    const std::string key = name + "." + std::to_string(i);
    json facts = DrawFacts(key, 4 * i, 4, 1 + Draw(4));
    json body = {{"branch", branch},
                 {"facts", std::move(facts)},
                 {"evaluate", evaluates},
                 {"settings", {{"layers", "0,1"}}}};
    tasks.push_back(cluster_.sim().Begin(
        Carry({.kind = "commit", .body = std::move(body), .key = key, .terms = terms})));
  }
  co_return co_await All(std::move(tasks));
}

Awaitable<int> FleetSimulation::CarryFlood() {
  while (left_ > options_.flood + options_.operations / 2) co_await Sleep(cluster_.sim(), 1s);
  std::vector<Task> tasks;
  for (int i = 0; i < options_.flood; ++i, --left_) {
    const std::string key = "flood." + std::to_string(i);
    Wish wish{.kind = "evaluation",
              .body = {{"revision", "main"}, {"facts", DrawFacts(key, 0, kFleetSubjects, 1)}},
              .key = key,
              .terms = {}};
    wish.terms.repo = RepoName(kRepos[0]);
    tasks.push_back(cluster_.sim().Begin(Carry(std::move(wish))));
  }
  co_return co_await All(std::move(tasks));
}

Awaitable<int> FleetSimulation::Ask(RepoName repo, std::string revision) {
  Service* const service = cluster_.Enter();
  if (service == nullptr) co_return 0;
  const int life = cluster_.life();
  AskRequest request{repo, std::move(revision), "prompt", 1, 5};
  const Result<AskAnswer> answer =
      co_await coordinator::answers::Ask(*service, cluster_.admin(), std::move(request));
  cluster_.Leave();
  if (life != cluster_.life()) co_return 0;
  if (answer.ok()) CheckText(repo, answer->commit, answer->state, answer->text.substr(1));
  if (!answer.ok()) CheckRefused(answer.status());
  ++counts_[answer.ok() ? "answers" : "answers refused: " + answer.status().slug()];
  cluster_.sim().Record("ask " + (answer.ok() ? answer->state.Short() : answer.status().slug()));
  co_return 0;
}

// Now and then the client goes away before the end.
Awaitable<int> FleetSimulation::CompleteText(RepoName repo, std::string revision) {
  Service* const service = cluster_.Enter();
  if (service == nullptr) co_return 0;
  const int life = cluster_.life();
  const std::size_t pieces_max = OneIn(4) ? Draw(kTextTokensMax) : 1000;
  CompletionRequest request{.repo = repo,
                            .revision = std::move(revision),
                            .prompts = {{"prompt"}},
                            .count = static_cast<std::int32_t>(1 + Draw(2)),
                            .text = {}};
  request.text.tokens_max = static_cast<std::int32_t>(1 + Draw(kTextTokensMax));
  Result<std::shared_ptr<CompletionStream>> stream =
      co_await service->Complete(cluster_.admin(), std::move(request));
  Status ended = stream.status();
  for (std::size_t pieces = 0; ended.ok() && pieces < pieces_max; ++pieces) {
    const Result<std::optional<CompletionPiece>> piece =
        co_await (*stream)->Next([] { return true; });
    ended = piece.status();
    if (life != cluster_.life() || !ended.ok() || !piece->has_value()) break;
    if ((*piece)->end) continue;
    CheckText(repo, (*stream)->commit(), (*stream)->state(), (*piece)->text.substr(1));
    ++counts_["pieces of texts"];
  }
  cluster_.Leave();
  if (life != cluster_.life()) co_return 0;
  if (!ended.ok()) CheckRefused(ended);
  ++counts_[ended.ok() ? "texts" : "texts refused: " + ended.slug()];
  cluster_.sim().Record("text " + ended.slug());
  co_return 0;
}

Awaitable<int> FleetSimulation::Act(std::string name) {
  const std::size_t choice = Draw(100);
  if (choice < 6) co_return co_await CarryBurst(std::move(name));
  if (choice < 60) {
    Wish wish = DrawWish(name);
    --left_;
    co_return co_await Carry(std::move(wish));
  }
  RepoName repo = DrawRepo();
  std::string revision = DrawRevision(repo);
  if (choice < 85) co_return co_await Ask(std::move(repo), std::move(revision));
  co_return co_await CompleteText(std::move(repo), std::move(revision));
}

Awaitable<int> FleetSimulation::Client(int number) {
  for (int step = 0; left_ > 0; ++step) {
    co_await Sleep(cluster_.sim(), std::chrono::milliseconds(Draw(1500)));
    if (left_ > 0) co_await Act(std::to_string(number) + "." + std::to_string(step));
  }
  co_return 0;
}

// ---- all of it ---------------------------------------------------------------------------------

void FleetSimulation::ImportRepos() {
  for (std::size_t i = 0; i < std::size(kRepos); ++i) {
    Terms terms;
    terms.repo = RepoName(kRepos[i]);
    const Wish wishes[] = {
        {.kind = "import",
         .body = cluster_.ImportBody(terms.repo, options_.seed + i),
         .key = "import." + terms.repo.value(),
         .terms = terms},
        {.kind = "statistics",
         .body = cluster_.StatisticsBody(),
         .key = "statistics." + terms.repo.value(),
         .terms = terms},
    };
    for (const Wish& wish : wishes) {
      --left_;
      const auto ended = cluster_.sim().Await(Carry(wish));
      EXPECT_TRUE(ended.has_value()) << wish.key;
    }
    for (const char* branch : {"side", "trial"}) {
      EXPECT_TRUE(cluster_.MoveRef({.repo = terms.repo, .name = branch, .revision = "main"}).ok());
    }
  }
}

void FleetSimulation::Run() {
  SimRuntime& sim = cluster_.sim();
  ImportRepos();
  std::vector<Task> tasks;
  for (int client = 0; client < options_.clients; ++client)
    tasks.push_back(sim.Begin(Client(client)));
  if (options_.flood > 0) tasks.push_back(sim.Begin(CarryFlood()));
  const Task faults = sim.Begin(MakeFaults());
  EXPECT_TRUE(sim.RunUntil([&] { return left_ <= 0 && faults->has_value(); }, 24h))
      << "somebody waits for ever";
  const auto healed = sim.elapsed();
  const auto all_ended = [&] {
    const auto has_ended = [](const Task& task) { return task->has_value(); };
    return std::ranges::all_of(tasks, has_ended) && std::ranges::all_of(repeats_, has_ended);
  };
  EXPECT_TRUE(sim.RunUntil(all_ended, kEndTimeout))
      << "with all faults over, something did not end within five minutes";
  counts_["virtual seconds"] = static_cast<std::size_t>(sim.elapsed() / 1s);
  counts_["virtual milliseconds to the end once healed"] =
      static_cast<std::size_t>((sim.elapsed() - healed) / 1ms);
  counts_["events"] = sim.events().size();
  CheckFsck();
  for (const char* repo : kRepos)
    oracle_.CheckRepo(RepoName(repo), {std::begin(kBranches), std::end(kBranches)});
  CheckRecords();
  CheckGenerations();
  CheckLog();
}

}  // namespace emend::test
