// The field "facts" of a request. Internal to coordinator/operations.
#pragma once

#include <vector>

#include "storage/json/reader.h"
#include "storage/objects/fact.h"

namespace emend::coordinator::operations {

inline constexpr std::size_t kFactsMax = 10'000;  // of one submission

void ReadFacts(storage::json::Reader& reader, std::vector<storage::objects::Fact>& facts);

}  // namespace emend::coordinator::operations
