// Published: the names that this worker may answer to without its coordinator, and what they stand
// for.
//
//   published.Take(request.publication);
//   // what was published is not displaced by what somebody asks for once
//   base.Keep(published.Wanted(base.id(), base.kept_max()));
//   ...
//   // whenever somebody wants to know
//   published.Refresh(is_live, wanted);
//   for (const ServedRef& served : published.served()) ...
//
// A name that was moved goes on standing for what it stood for until what it was moved to is live,
// if that is about to be made live: it would be out of date for ever otherwise. Used by the compute
// thread.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "worker/protocol/messages.h"

namespace emend::worker::server {

class Published {
 public:
  using IsLive = std::function<bool(const BaseId& base, const StateId& state)>;

  void Take(protocol::Publication publication) { publication_ = std::move(publication); }
  const protocol::Publication& publication() const { return publication_; }
  // The states of the first refs of this base, at most `count_max` different ones.
  std::vector<StateId> Wanted(const BaseId& base, std::size_t count_max) const;
  // `made_live`: the states that the coordinator is making live, Wanted() of the base that is held.
  void Refresh(const IsLive& is_live, const std::vector<StateId>& made_live);
  // As of the last Refresh, in the order of the publication.
  std::vector<protocol::ServedRef> served() const;

 private:
  using Name = std::pair<RepoName, std::string>;
  static Name NameOf(const protocol::PublishedRef& ref) { return {ref.repo, ref.ref}; }

  protocol::Publication publication_;
  std::map<Name, protocol::ServedRef> served_;
};

}  // namespace emend::worker::server
