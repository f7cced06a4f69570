// A KvStore in memory; keeps what a synced write made durable apart from what it did not.
#pragma once

#include <memory>

#include "storage/kv/kv_store.h"

namespace emend::test {

class MemoryKv : public storage::kv::KvStore {
 public:
  // Back to what the last synced write made durable: what a power cut leaves at worst.
  virtual void LoseUnsynced() = 0;
  // The next `count` writes fail with this and change nothing.
  virtual void FailNextWrites(int count, Status status) = 0;
};
std::unique_ptr<MemoryKv> NewMemoryKv();

}  // namespace emend::test
