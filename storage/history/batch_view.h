// A store with a batch's changes on top, so that what one transaction has put is seen by what it
// does next (two chained commits, a state derived from a new one). Inside storage/history only.
//
// Sees the changes that the batch had when the view was made. The store and the batch must outlive
// it; not thread-safe. Read-only: Write is kInternal.
#pragma once

#include <map>
#include <string>

#include "storage/kv/kv_store.h"

namespace emend::storage::history {

class BatchView final : public kv::KvStore {
 public:
  BatchView(kv::KvStore& store, const kv::WriteBatch& batch);

  Result<std::optional<std::string>> Get(kv::ColumnFamily family, std::string_view key) override;
  Status Scan(kv::ColumnFamily family, std::string_view prefix, std::string_view start,
              const kv::ScanVisitor& visit) override;
  Status Write(const kv::WriteBatch& batch, kv::Durability durability) override;
  Status VerifyChecksums() override;

 private:
  bool IsCleared(kv::ColumnFamily family, std::string_view key) const;

  kv::KvStore& store_;
  const kv::WriteBatch& batch_;
  // key: its last change's index in the batch
  std::map<kv::ColumnFamily, std::map<std::string, std::size_t, std::less<>>> newest_;
};

}  // namespace emend::storage::history
