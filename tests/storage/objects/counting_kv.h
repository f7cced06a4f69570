// A store that counts the reads of another one.
#pragma once

#include <atomic>
#include <cstdint>

#include "storage/kv/kv_store.h"

namespace emend::storage::objects::test {

class CountingKv final : public kv::KvStore {
 public:
  explicit CountingKv(kv::KvStore& store) : store_(store) {}

  Result<std::optional<std::string>> Get(kv::ColumnFamily family, std::string_view key) override {
    ++reads;
    return store_.Get(family, key);
  }
  Status Scan(kv::ColumnFamily family, std::string_view prefix, std::string_view start,
              const kv::ScanVisitor& visit) override {
    return store_.Scan(family, prefix, start, [&](std::string_view key, std::string_view value) {
      ++reads;
      return visit(key, value);
    });
  }
  Status Write(const kv::WriteBatch& batch, kv::Durability durability) override {
    return store_.Write(batch, durability);
  }
  Status VerifyChecksums() override { return store_.VerifyChecksums(); }

  std::atomic<std::uint64_t> reads = 0;

 private:
  kv::KvStore& store_;
};

}  // namespace emend::storage::objects::test
