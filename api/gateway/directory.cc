#include "api/gateway/directory.h"

#include <algorithm>

namespace emend::api::gateway {
namespace {

using worker::protocol::Publication;
using worker::protocol::PublishedRef;
using worker::protocol::PublishedToken;
using worker::protocol::ServedRef;

constexpr std::size_t kCommitDigitsMin = 12;
constexpr std::size_t kNamesShownMax = 8;

std::string NamesOf(const Publication& publication) {
  std::string names;
  std::size_t count = 0;
  for (const PublishedRef& ref : publication.refs) {
    if (++count <= kNamesShownMax)
      names += (names.empty() ? "" : ", ") + ref.repo.value() + "@" + ref.ref;
  }
  return names.empty() ? "none" : names + (count > kNamesShownMax ? ", ..." : "");
}

bool IsCommit(const PublishedRef& ref, const std::string& revision) {
  return revision.size() >= kCommitDigitsMin && ref.commit.Hex().starts_with(revision);
}

}  // namespace

void Directory::Note(const WorkerId& worker, worker::protocol::ReadPublicationReply reply,
                     SteadyTime now) {
  known_.insert_or_assign(worker, Said{std::move(reply), now});
}

const Publication* Directory::Latest() const {
  const Publication* latest = nullptr;
  for (const auto& [worker, said] : known_) {
    if (latest == nullptr || said.reply.publication.sequence > latest->sequence)
      latest = &said.reply.publication;
  }
  return latest;
}

std::optional<PublishedRef> Directory::FindServed(const RepoName& repo,
                                                  const std::string& ref) const {
  const ServedRef* best = nullptr;
  for (const auto& [worker, said] : known_) {
    for (const ServedRef& served : said.reply.served) {
      if (served.ref.repo == repo && served.ref.ref == ref &&
          (best == nullptr || served.sequence > best->sequence))
        best = &served;
    }
  }
  return best == nullptr ? std::nullopt : std::optional(best->ref);
}

Result<PublishedRef> Directory::Find(const RepoName& repo, const std::string& revision) const {
  const std::string what = "asking " + repo.value() + "@" + revision;
  const Publication* const latest = Latest();
  if (latest == nullptr)
    return Status(StatusCode::kUnavailable, "no_worker",
                  what + ": no worker serves this gateway; try again in a few seconds");
  bool is_name = false;
  for (const PublishedRef& ref : latest->refs) {
    const bool is_meant = ref.repo == repo && (ref.ref == revision || IsCommit(ref, revision));
    is_name = is_name || is_meant;
    if (!is_meant) continue;
    // A commit that is not live yet is not answered by the one before it.
    const std::optional<PublishedRef> served = FindServed(repo, ref.ref);
    if (served && (ref.ref == revision || served->commit == ref.commit)) return *served;
  }
  if (is_name) {
    return Status(StatusCode::kUnavailable, "state_not_live",
                  what +
                      ": no worker that serves this gateway has it live; try again in a few "
                      "seconds, or ask emendd, which makes any commit live");
  }
  return NotFound(
      what +
      ": found no such branch or tag, and no commit that one stands for; a gateway answers " +
      NamesOf(*latest) + ", emendd any commit of any repo");
}

std::vector<PublishedRef> Directory::Served() const {
  std::vector<PublishedRef> all;
  const Publication* const latest = Latest();
  if (latest == nullptr) return all;
  std::map<std::pair<RepoName, std::string>, const ServedRef*> best;
  for (const auto& [worker, said] : known_) {
    for (const ServedRef& served : said.reply.served) {
      const ServedRef*& known = best[{served.ref.repo, served.ref.ref}];
      if (known == nullptr || served.sequence > known->sequence) known = &served;
    }
  }
  for (const PublishedRef& ref : latest->refs) {
    if (const auto found = best.find({ref.repo, ref.ref}); found != best.end())
      all.push_back(found->second->ref);
  }
  return all;
}

bool Directory::ServesAny() const {
  return std::ranges::any_of(known_,
                             [](const auto& known) { return !known.second.reply.served.empty(); });
}

std::vector<WorkerId> Directory::Holders(const BaseId& base, const StateId& state) const {
  std::vector<WorkerId> holders;
  for (const auto& [worker, said] : known_) {
    const auto holds = [&](const ServedRef& served) {
      return served.ref.base == base && served.ref.state == state;
    };
    if (std::ranges::any_of(said.reply.served, holds)) holders.push_back(worker);
  }
  return holders;
}

std::optional<PublishedToken> Directory::FindToken(const Digest& secret_hash) const {
  const Publication* const latest = Latest();
  if (latest == nullptr) return std::nullopt;
  const auto found = std::ranges::find(latest->tokens, secret_hash, &PublishedToken::secret_hash);
  return found == latest->tokens.end() ? std::nullopt : std::optional(*found);
}

std::chrono::milliseconds Directory::Silence(SteadyTime now) const {
  auto silence = std::chrono::milliseconds::max();
  for (const auto& [worker, said] : known_) {
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(now - said.when);
    silence = std::min(silence, std::chrono::milliseconds(said.reply.silent_ms) + since);
  }
  return known_.empty() ? std::chrono::milliseconds(0) : silence;
}

}  // namespace emend::api::gateway
