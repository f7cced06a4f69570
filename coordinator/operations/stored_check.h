// What is stored of a state, compared with itself: rebuild, manifest and base. Internal to
// coordinator/operations.
#pragma once

#include <vector>

#include "coordinator/operations/operation.h"
#include "storage/checkpoint/file_digests.h"

namespace emend::coordinator::operations {

struct StoredCheck {
  std::vector<storage::checkpoint::DigestCheck> tensors;
  std::vector<storage::checkpoint::DigestCheck> files;  // of the stored base
};

// What live bytes say is added by the caller. Blocks.
Result<StoredCheck> CheckStored(JobContext& context, const Located& located);

}  // namespace emend::coordinator::operations
