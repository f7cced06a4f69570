#include "coordinator/server/publisher.h"

#include <algorithm>

#include "coordinator/jobs/worker_session.h"
#include "storage/base/log.h"

namespace emend::coordinator::server {
namespace {

using namespace std::chrono_literals;
using storage::history::Ref;
using storage::history::RefKind;
using storage::history::Repository;
using worker::protocol::PublishedRef;
using worker::protocol::PublishReply;

constexpr auto kLook = 200ms;  // at the audit chain and the workers
// where a gateway asks: what is to be live may have been displaced; and where it failed
constexpr auto kRenewal = 5s;
constexpr auto kTimeout = 60s;  // of telling a worker
// of the wait after failures in a row: to load a base that is damaged takes as long each time
constexpr int kDoublingsMax = 4;
constexpr auto kStopTimeout = 5s;
constexpr int kStatesMax = 16;  // made live for one publication; a worker asks for fewer

// The default branch first, then branches, then tags.
int RankOf(const Ref& ref) {
  if (ref.kind != RefKind::kBranch) return 2;
  return ref.name == "main" ? 0 : 1;
}

}  // namespace

Status Publisher::ReadRepo(const storage::history::RepoRecord& record, Names& names,
                           std::vector<Ranked>& refs) const {
  EMEND_ASSIGN_OR_RETURN(Repository opened, Repository::Open(context_.store, record.name));
  const auto repository = std::make_shared<const Repository>(std::move(opened));
  EMEND_ASSIGN_OR_RETURN(const std::vector<Ref> of_repo, repository->ListRefs());
  for (const Ref& ref : of_repo) {
    EMEND_ASSIGN_OR_RETURN(const auto commit, repository->ReadCommit(ref.commit));
    refs.emplace_back(RankOf(ref), PublishedRef{record.name, ref.name,
                                                static_cast<std::uint64_t>(record.created_ms),
                                                commit.base, ref.commit, commit.state});
    names.repositories.emplace(commit.state, repository);
  }
  return OkStatus();
}

Result<std::shared_ptr<const Publisher::Names>> Publisher::ReadNames() const {
  auto names = std::make_shared<Names>();
  std::vector<Ranked> refs;
  // Before the rest is read: what changes meanwhile is published once more.
  names->publication.sequence = context_.journal.head();
  EMEND_ASSIGN_OR_RETURN(const auto records, Repository::List(context_.store));
  for (const auto& record : records) {
    // What cannot be read of one repo keeps nothing else from being published.
    const Status read = ReadRepo(record, *names, refs);
    if (!read.ok())
      LogWarning("repo_not_published", {{"repo", record.name.value()}, {"status", read}});
  }
  std::ranges::stable_sort(refs, {}, &Ranked::first);
  for (auto& [rank, ref] : refs) names->publication.refs.push_back(std::move(ref));
  EMEND_ASSIGN_OR_RETURN(const auto tokens, storage::records::ListTokens(context_.store));
  for (const auto& token : tokens) {
    if (std::ranges::find(token.scopes, "ask") == token.scopes.end()) continue;
    names->publication.tokens.push_back({token.id, token.secret_hash, token.principal});
  }
  return std::shared_ptr<const Names>(std::move(names));
}

Awaitable<bool> Publisher::Stop() {
  stop_.Set();
  const SteadyTime deadline = context_.runtime.clock().Now() + kStopTimeout;
  co_return co_await tasks_.Join(deadline);
}

Awaitable<Status> Publisher::Refresh() {
  if (names_ != nullptr && read_at_ == context_.journal.head()) co_return OkStatus();
  const auto read = [this] { return ReadNames(); };
  EMEND_CO_ASSIGN_OR_RETURN(std::shared_ptr<const Names> names,
                            co_await Blocking(context_.runtime, read));
  read_at_ = names->publication.sequence;
  // Most of what is audited changes no name.
  const bool is_news = names_ == nullptr || names->publication.refs != names_->publication.refs ||
                       names->publication.tokens != names_->publication.tokens;
  if (is_news) names_ = std::move(names);
  co_return OkStatus();
}

Awaitable<Status> Publisher::Watch() {
  while (!stop_.is_set()) {
    const Status read = co_await Refresh();
    if (!read.ok()) LogWarning("names_not_read", {{"status", read}});
    const auto workers = membership::Serving(context_.workers.Workers());
    std::erase_if(told_, [&](const auto& told) {
      return !told.second.under_way &&
             std::ranges::find(workers, told.first, &membership::WorkerInfo::worker) ==
                 workers.end();
    });
    for (const auto& worker : workers) {
      if (names_ == nullptr || !IsDue(worker)) continue;
      told_[worker.worker].under_way = true;
      tasks_.Spawn("publish_to_worker", Tell(worker, names_));
    }
    const SteadyTime next = context_.runtime.clock().Now() + (read.ok() ? kLook : kRenewal);
    co_await stop_.WaitUntil(next);
  }
  co_return OkStatus();
}

bool Publisher::IsDue(const membership::WorkerInfo& worker) const {
  const auto found = told_.find(worker.worker);
  if (found == told_.end()) return true;
  const Told& told = found->second;
  if (told.under_way) return false;
  if (told.generation != worker.generation) return true;
  const int doublings = std::clamp(told.failures - 1, 0, kDoublingsMax);
  const bool is_long_ago =
      context_.runtime.clock().Now() - told.when >= kRenewal * (1 << doublings);
  if (told.failures > 0) return is_long_ago;
  return told.sequence != names_->publication.sequence || (told.has_gateway && is_long_ago);
}

Awaitable<Status> Publisher::Tell(membership::WorkerInfo worker,
                                  std::shared_ptr<const Names> names) {
  const Result<PublishReply> reply = co_await PublishTo(worker.worker, names);
  Told& told = told_[worker.worker];
  told.under_way = false;
  told.generation = worker.generation;
  told.sequence = names->publication.sequence;
  told.when = context_.runtime.clock().Now();
  if (reply.ok()) told.has_gateway = reply->has_gateway;
  const bool is_news = !reply.ok() && told.last.slug() != reply.status().slug();
  if (is_news && !stop_.is_set())
    LogInfo("not_published", {{"worker", worker.worker.value()}, {"status", reply.status()}});
  told.last = reply.status();
  told.failures = reply.ok() ? 0 : told.failures + 1;
  co_return OkStatus();
}

Awaitable<Result<PublishReply>> Publisher::PublishTo(WorkerId worker,
                                                     std::shared_ptr<const Names> names) {
  const worker::protocol::Publish publish{names->publication};
  worker::protocol::RequestBody request = publish;
  membership::CallOptions options{.worker = worker, .timeout = kTimeout, .cancel = &stop_};
  Result<worker::protocol::ReplyBody> said =
      co_await context_.workers.Call(std::move(request), std::move(options));
  EMEND_CO_ASSIGN_OR_RETURN(PublishReply reply,
                            worker::protocol::ReplyAs<PublishReply>(std::move(said)));
  const auto& refs = names->publication.refs;
  // It holds nothing yet.
  if (reply.has_gateway && !reply.base && !refs.empty()) reply.missing = {refs.front().state};
  for (int made = 0; made < kStatesMax && !reply.missing.empty() && !stop_.is_set(); ++made) {
    const StateId state = reply.missing.front();
    const auto found = names->repositories.find(state);
    if (found == names->repositories.end()) break;
    jobs::JobControl control;
    control.cancel = &stop_;
    jobs::WorkerSession session(context_, *found->second, std::move(control));
    EMEND_CO_RETURN_IF_ERROR(co_await session.OpenOn(worker));
    worker::protocol::RequestBody again = publish;
    EMEND_CO_ASSIGN_OR_RETURN(
        reply, co_await session.CallOn<PublishReply>(state, std::move(again), jobs::kCallTimeout));
  }
  co_return reply;
}

}  // namespace emend::coordinator::server
