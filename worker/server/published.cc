#include "worker/server/published.h"

#include <algorithm>

namespace emend::worker::server {

std::vector<StateId> Published::Wanted(const BaseId& base, std::size_t count_max) const {
  std::vector<StateId> wanted;
  for (const protocol::PublishedRef& ref : publication_.refs) {
    if (wanted.size() == count_max) break;
    if (ref.base == base && std::ranges::find(wanted, ref.state) == wanted.end())
      wanted.push_back(ref.state);
  }
  return wanted;
}

void Published::Refresh(const IsLive& is_live, const std::vector<StateId>& made_live) {
  std::map<Name, protocol::ServedRef> served;
  for (const protocol::PublishedRef& ref : publication_.refs) {
    const auto before = served_.find(NameOf(ref));
    const bool is_awaited = std::ranges::find(made_live, ref.state) != made_live.end();
    if (is_live(ref.base, ref.state)) {
      served.emplace(NameOf(ref), protocol::ServedRef{ref, publication_.sequence});
    } else if (is_awaited && before != served_.end() &&
               is_live(before->second.ref.base, before->second.ref.state)) {
      served.insert(*before);
    }
  }
  served_ = std::move(served);
}

std::vector<protocol::ServedRef> Published::served() const {
  std::vector<protocol::ServedRef> served;
  for (const protocol::PublishedRef& ref : publication_.refs) {
    if (const auto found = served_.find(NameOf(ref)); found != served_.end())
      served.push_back(found->second);
  }
  return served;
}

}  // namespace emend::worker::server
