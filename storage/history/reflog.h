// Pages of a branch's reflog.
//
//   EMEND_ASSIGN_OR_RETURN(auto page, ReadReflog(repository, "main", 100, std::nullopt));
//   EMEND_ASSIGN_OR_RETURN(auto older, ReadReflog(repository, "main", 100, page.back().index));
//
// Entries only come on top, so that an index stays the same place for ever. Blocks.
#pragma once

#include <optional>

#include "storage/history/repository.h"

namespace emend::storage::history {

// Newest first; those before the entry of this index, if one is given. kNotFound for a branch that
// never was.
Result<std::vector<ReflogEntry>> ReadReflog(const Repository& repository, std::string_view branch,
                                            std::size_t count_max,
                                            std::optional<std::uint64_t> before);

}  // namespace emend::storage::history
