// RecordTable: the records of one type, each at its key under one prefix.
//
//   const RecordTable<TokenRecord> kTokens(ColumnFamily::kMeta, "token/", "a token");
//   kTokens.Put(transaction.batch(), token.id, token);
//   EMEND_ASSIGN_OR_RETURN(std::vector<TokenRecord> tokens, kTokens.List(store));
//
// A record is a struct with a head and fields (storage/base/archive.h). Bytes that are no such
// record are kDataLoss and name it. Thread-safe; reads block on the disk.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base/archive.h"
#include "storage/kv/kv_store.h"

namespace emend::storage::records {

template <HasHead T>
class RecordTable {
 public:
  // `what`: what errors call one of them.
  RecordTable(kv::ColumnFamily family, std::string prefix, std::string what)
      : family_(family), prefix_(std::move(prefix)), what_(std::move(what)) {}

  void Put(kv::WriteBatch& batch, std::string_view key, const T& record) const {
    batch.Put(family_, prefix_ + std::string(key), EncodeRecord(record));
  }
  void Remove(kv::WriteBatch& batch, std::string_view key) const {
    batch.Delete(family_, prefix_ + std::string(key));
  }
  // Nothing if there is none.
  Result<std::optional<T>> Find(kv::KvStore& store, std::string_view key) const {
    EMEND_ASSIGN_OR_RETURN(const auto stored, store.Get(family_, prefix_ + std::string(key)));
    if (!stored) return std::optional<T>();
    EMEND_ASSIGN_OR_RETURN(T record, Decode(*stored));
    return std::optional<T>(std::move(record));
  }
  // Those whose keys begin so, in the order of their keys.
  Result<std::vector<T>> List(kv::KvStore& store, std::string_view beginning = "") const {
    return Read(store, beginning, "", std::numeric_limits<std::size_t>::max());
  }
  // Those whose keys are not before `start`, at most `count_max`.
  Result<std::vector<T>> ListFrom(kv::KvStore& store, std::string_view start,
                                  std::size_t count_max) const {
    return Read(store, "", start, count_max);
  }

 private:
  Result<std::vector<T>> Read(kv::KvStore& store, std::string_view beginning,
                              std::string_view start, std::size_t count_max) const {
    std::vector<T> records;
    Status decoded;
    const auto visit = [&](std::string_view, std::string_view stored) {
      if (records.size() == count_max) return false;
      Result<T> record = Decode(stored);
      decoded = record.status();
      if (record.ok()) records.push_back(std::move(record).value());
      return decoded.ok();
    };
    EMEND_RETURN_IF_ERROR(store.Scan(family_, prefix_ + std::string(beginning), start, visit));
    EMEND_RETURN_IF_ERROR(decoded);
    return records;
  }
  Result<T> Decode(std::string_view stored) const {
    Result<T> record = DecodeRecord<T>(stored);
    if (!record.ok()) return record.status().WithContext("reading " + what_);
    return record;
  }

  const kv::ColumnFamily family_;
  const std::string prefix_;
  const std::string what_;
};

}  // namespace emend::storage::records
