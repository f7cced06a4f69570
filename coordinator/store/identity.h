// What a store keeps about itself: its epoch, its groups' generations and its workers'
// token. Its other tokens: tokens.h.
//
// All of it is written before it is used. Blocks.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "coordinator/core/store_layout.h"
#include "storage/base/file_system.h"
#include "storage/base/random.h"
#include "storage/records/journal.h"

namespace emend::coordinator::store {

// The service's own principal, for what it does by itself.
storage::records::Principal ServicePrincipal();

// One more than at the last start.
Result<std::uint64_t> RaiseEpoch(storage::records::Journal& journal, storage::kv::KvStore& store);

Status PutGeneration(storage::records::Journal& journal, const std::string& group,
                     std::uint64_t generation);
Result<std::map<std::string, std::uint64_t>> ReadGenerations(storage::kv::KvStore& store);

// The secret that workers present, from the layout's file; made if it is not there and nobody else
// makes it. kInvalidArgument ("empty_worker_token"): a file that was cut short lets nobody in.
Result<std::string> EnsureWorkerToken(FileSystem& files, Random& random,
                                      const core::StoreLayout& layout);

}  // namespace emend::coordinator::store
