#include "coordinator/core/stored_base.h"

#include <utility>

namespace emend::coordinator::core {

using storage::checkpoint::Checkpoint;

Result<StoredBase> OpenBase(const StoreLayout& layout, const storage::history::RepoRecord& record) {
  EMEND_ASSIGN_OR_RETURN(storage::objects::Base recorded,
                         storage::objects::DecodeBase(record.base_encoded));
  Result<std::unique_ptr<Checkpoint>> opened = Checkpoint::Open(layout.model_folder(record.base));
  if (!opened.ok())
    return DataLoss("opening the stored base " + record.base.Short() + ": " +
                    opened.status().message());
  return StoredBase{std::move(opened).value(), std::move(recorded)};
}

}  // namespace emend::coordinator::core
