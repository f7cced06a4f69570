// The difference of two commits in facts and in served weights. Blocks; runs on the pool.
#pragma once

#include <string>

#include "coordinator/core/store_layout.h"
#include "coordinator/server/service.h"

namespace emend::coordinator::server {

// kNotFound if a revision is not there.
Result<DiffReport> DiffCommits(const core::StoreLayout& layout,
                               const storage::history::Repository& repository,
                               const std::string& from, const std::string& to);

}  // namespace emend::coordinator::server
