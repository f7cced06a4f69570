// What must be in place before a base is worked with.
#include <algorithm>
#include <string>
#include <utility>

#include "storage/base/log.h"
#include "worker/server/requests.h"
#include "worker/server/stopwatch.h"

namespace emend::worker::server {
namespace {

Status NotLoaded(const std::string& why) {
  return {StatusCode::kFailedPrecondition, "base_not_loaded", why};
}

}  // namespace

Result<protocol::LoadBaseReply> Run(const protocol::LoadBase& request, Context& context) {
  const Stopwatch watch;
  protocol::LoadBaseReply reply;
  if (!context.slot.Find(request.base).ok()) {
    context.slot.Forget(NotLoaded("another base took the place of base " + request.base.Short()));
    EMEND_ASSIGN_OR_RETURN(auto loaded,
                           LiveBase::Load(request, context.options, context.group.communicator()));
    reply.bytes_read = loaded->memory().file_bytes_read;
    context.slot.Put(std::move(loaded));
    context.slot.Keep(context.published);
    LogInfo("base_loaded", {{"base", request.base.Short()},
                            {"rank", context.group.communicator().rank()},
                            {"ranks", context.group.size()},
                            {"bytes_read", reply.bytes_read}});
  }
  const model::Transformer& model = context.slot.held()->base_model();
  reply.seconds = watch.Seconds();
  reply.family = model.config().family;
  reply.layers = static_cast<std::int32_t>(model.config().layers);
  reply.context = static_cast<std::int32_t>(model.config().context);
  for (std::int32_t layer = 0; layer < reply.layers; ++layer) {
    const model::DownProjection& down = model.Down(LayerIndex(layer));
    reply.intermediate = std::max(
        reply.intermediate, static_cast<std::int32_t>(down.width * down.parts() / down.active));
  }
  return reply;
}

Result<protocol::EnsureStateReply> Run(const protocol::EnsureState& request, Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  EMEND_ASSIGN_OR_RETURN(std::vector<EditId> missing, base->Ensure(request.state, request.edits));
  return protocol::EnsureStateReply{std::move(missing)};
}

Result<protocol::PutEditsReply> Run(const protocol::PutEdits& request, Context& context) {
  EMEND_ASSIGN_OR_RETURN(LiveBase* const base, context.slot.Find(request.base));
  for (const auto& [id, payload] : request.edits)
    EMEND_RETURN_IF_ERROR(base->edits().Put(id, payload));
  return protocol::PutEditsReply{};
}

Result<protocol::ForgetBaseReply> Run(const protocol::ForgetBase& request, Context& context) {
  LogWarning("base_forgotten", {{"base", request.base.Short()},
                                {"rank", context.group.communicator().rank()},
                                {"why", request.why}});
  if (context.slot.Find(request.base).ok())
    context.slot.Forget(NotLoaded("base " + request.base.Short() + " is read again"));
  return protocol::ForgetBaseReply{};
}

}  // namespace emend::worker::server
