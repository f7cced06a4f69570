// Neighbours as data sets have them: prompts alone.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "storage/text/neighbour.h"

namespace emend::test {

inline std::vector<storage::text::Neighbour> PlainNeighbours(const nlohmann::json& prompts) {
  std::vector<storage::text::Neighbour> neighbours;
  for (const nlohmann::json& prompt : prompts) neighbours.push_back({prompt.get<std::string>()});
  return neighbours;
}

}  // namespace emend::test
