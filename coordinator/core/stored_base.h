// StoredBase: the store's own copy of an imported model, and what was recorded of it at import.
//
// Disks rot: bytes are compared with the record before anything is made from them (RebuildTensors,
// Check; a worker checks the files when it loads them).
#pragma once

#include <memory>

#include "coordinator/core/store_layout.h"
#include "storage/checkpoint/file_digests.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/history/repository.h"
#include "storage/objects/edit.h"

namespace emend::coordinator::core {

struct StoredBase {
  std::shared_ptr<const storage::checkpoint::Checkpoint> checkpoint;
  storage::objects::Base recorded;

  // Reads every file. kDataLoss ("base_damaged").
  Status Check() const {
    return storage::checkpoint::CheckFiles(checkpoint->folder(), recorded.files);
  }
};

// Opens the files without reading the weights. kDataLoss if one is missing or malformed.
Result<StoredBase> OpenBase(const StoreLayout& layout, const storage::history::RepoRecord& record);

}  // namespace emend::coordinator::core
