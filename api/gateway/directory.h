// Directory: what a gateway may answer, as its workers say: names, what is live where, and whose
// tokens may ask.
//
//   directory.Note(worker, reply, clock.Now());                    // each time a worker was asked
//   EMEND_ASSIGN_OR_RETURN(const PublishedRef ref, directory.Find(repo, "main"));
//
// Workers hear of a change one after another. The latest publication says which names and tokens
// there are; a name stands for what the latest publication, of those that a worker has something
// live of, says. A value without clock or network.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/status.h"
#include "worker/protocol/messages.h"

namespace emend::api::gateway {

class Directory {
 public:
  void Note(const WorkerId& worker, worker::protocol::ReadPublicationReply reply, SteadyTime now);
  void Forget(const WorkerId& worker) { known_.erase(worker); }
  bool Knows(const WorkerId& worker) const { return known_.contains(worker); }
  bool empty() const { return known_.empty(); }

  // `revision` is a branch, a tag, or 12 or more digits of the commit that one stands for.
  // kUnavailable ("no_worker", "state_not_live"); kNotFound.
  Result<worker::protocol::PublishedRef> Find(const RepoName& repo,
                                              const std::string& revision) const;
  // What every name stands for, where it has something live.
  std::vector<worker::protocol::PublishedRef> Served() const;
  // Whether there is any.
  bool ServesAny() const;
  // Who has this state live.
  std::vector<WorkerId> Holders(const BaseId& base, const StateId& state) const;
  std::optional<worker::protocol::PublishedToken> FindToken(const Digest& secret_hash) const;
  // For how long no worker has heard of the coordinator; zero without workers.
  std::chrono::milliseconds Silence(SteadyTime now) const;

 private:
  struct Said {
    worker::protocol::ReadPublicationReply reply;
    SteadyTime when;
  };

  // Null without workers.
  const worker::protocol::Publication* Latest() const;
  std::optional<worker::protocol::PublishedRef> FindServed(const RepoName& repo,
                                                           const std::string& ref) const;

  std::map<WorkerId, Said> known_;
};

}  // namespace emend::api::gateway
