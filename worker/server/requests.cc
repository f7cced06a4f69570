#include "worker/server/requests.h"

#include <variant>

namespace emend::worker::server {

using protocol::ReplyBody;

Result<ReplyBody> RunRequest(const protocol::RequestBody& request, Context& context) {
  Result<ReplyBody> reply = std::visit(
      [&context](const auto& body) -> Result<ReplyBody> {
        auto said = Run(body, context);
        if (!said.ok()) return said.status();
        return ReplyBody(std::move(said).value());
      },
      request);
  // Every token of every text is such a step, and what else is held is as it was.
  if (!std::holds_alternative<protocol::StepTexts>(request)) context.slot.NoteMemory();
  return reply;
}

}  // namespace emend::worker::server
