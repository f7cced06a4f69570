// Facts of a file as the JSON that requests take. Inside this folder only.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "storage/objects/fact.h"

namespace emend::api::cli {

nlohmann::ordered_json FactsToJson(const std::vector<storage::objects::Fact>& facts);

}  // namespace emend::api::cli
