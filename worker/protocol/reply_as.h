// The reply that a request must have, out of what a call brought.
//
//   Result<ReplyBody> said = co_await membership.Call(std::move(request), std::move(options));
//   EMEND_CO_ASSIGN_OR_RETURN(GenerateReply reply, ReplyAs<GenerateReply>(std::move(said)));
#pragma once

#include <utility>

#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

// The call's failure; kInternal if the reply is of another kind.
template <typename Reply>
Result<Reply> ReplyAs(Result<ReplyBody> reply) {
  if (!reply.ok()) return reply.status();
  if (auto* typed = std::get_if<Reply>(&*reply)) return std::move(*typed);
  return Internal("a worker answered a request with a reply of another kind");
}

}  // namespace emend::worker::protocol
