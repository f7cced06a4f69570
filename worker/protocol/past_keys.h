// What a solve must leave as it is: the keys of the edits that its state has. A file that the
// coordinator writes for the time of a solve, where workers read its covariances too.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "storage/base/archive.h"

namespace emend::worker::protocol {

struct PastKeys {
  std::vector<std::string> payloads;  // an edit each: EncodePayload(vector<EditKey>)

  static constexpr RecordHead kHead = {RecordType::kPastKeys, 1};
  static auto Fields(auto& m) { return std::tie(m.payloads); }
};

}  // namespace emend::worker::protocol
