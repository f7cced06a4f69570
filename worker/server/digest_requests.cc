// What is served, proven.
#include <utility>

#include "worker/server/requests.h"

namespace emend::worker::server {

Result<protocol::DigestStateReply> Run(const protocol::DigestState& request, Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  EMEND_ASSIGN_OR_RETURN(auto roots, base->Digests(*state));
  return protocol::DigestStateReply{std::move(roots)};
}

Result<protocol::DigestTilesReply> Run(const protocol::DigestTiles& request, Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  EMEND_ASSIGN_OR_RETURN(const std::shared_ptr<const LiveState> state, base->Find(request.state));
  EMEND_ASSIGN_OR_RETURN(const auto leaves, base->Tiles(request.tensor, *state));
  protocol::DigestTilesReply reply;
  for (const auto& of_rank : leaves) {
    auto& tiles = reply.tiles.emplace_back();
    for (const storage::delta::TileLeaf& leaf : of_rank) tiles.emplace(leaf.index, leaf.digest);
  }
  return reply;
}

}  // namespace emend::worker::server
