#include "coordinator/operations/past_keys.h"

#include "storage/base/log.h"
#include "worker/protocol/past_keys.h"

namespace emend::coordinator::operations {
namespace {

constexpr std::uint32_t kSharedMode = 0644;  // workers may run as somebody else

}  // namespace

Status PastKeysFile::Write(const storage::history::Repository& repository, const StateId& state) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<EditId> edits, repository.Edits(state));
  if (edits.empty()) return OkStatus();
  worker::protocol::PastKeys past;
  for (const EditId& id : edits) {
    EMEND_ASSIGN_OR_RETURN(const storage::objects::Edit edit, repository.objects().ReadEdit(id));
    EMEND_ASSIGN_OR_RETURN(past.payloads.emplace_back(),
                           repository.objects().ReadPayload(edit.keys_object));
  }
  EMEND_RETURN_IF_ERROR(context_.file_system.CreateFolders(context_.layout.statistics()));
  EMEND_RETURN_IF_ERROR(
      context_.file_system.WriteAtomically(place_, EncodeRecord(past), kSharedMode));
  is_written_ = true;
  return OkStatus();
}

PastKeysFile::~PastKeysFile() {
  if (!is_written_) return;
  const Status removed = context_.file_system.Remove(place_);
  if (!removed.ok())
    LogWarning("past_keys_left", {{"file", place_}, {"status", removed.ToString()}});
}

}  // namespace emend::coordinator::operations
