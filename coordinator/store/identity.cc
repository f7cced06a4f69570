#include "coordinator/store/identity.h"

#include "coordinator/store/tokens.h"
#include "storage/base/encoding.h"

namespace emend::coordinator::store {
namespace {

using storage::kv::ColumnFamily;
using storage::records::Journal;
using storage::records::Transaction;

constexpr char kEpochKey[] = "store/epoch";
constexpr char kGenerationPrefix[] = "store/generation/";

std::string EncodeNumber(std::uint64_t number) {
  Encoder out(RecordType::kStoreNumber, 1);
  out.U64(number);
  return std::move(out).bytes();
}

Result<std::uint64_t> DecodeNumber(std::string_view stored) {
  Decoder in(stored);
  in.Record(RecordType::kStoreNumber, 1);
  const std::uint64_t number = in.U64();
  EMEND_RETURN_IF_ERROR(in.Finish());
  return number;
}

std::string WithoutNewline(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

storage::records::Principal ServicePrincipal() { return {"emendd", ""}; }

Result<std::uint64_t> RaiseEpoch(Journal& journal, storage::kv::KvStore& store) {
  std::uint64_t epoch = 1;
  EMEND_ASSIGN_OR_RETURN(const auto stored, store.Get(ColumnFamily::kMeta, kEpochKey));
  if (stored) {
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t last, DecodeNumber(*stored));
    epoch = last + 1;
  }
  EMEND_RETURN_IF_ERROR(
      journal
          .Commit(ServicePrincipal(),
                  [epoch](Transaction& transaction) {
                    transaction.batch().Put(ColumnFamily::kMeta, kEpochKey, EncodeNumber(epoch));
                    transaction.Audit({"store.start", {{"epoch", std::to_string(epoch)}}});
                    return OkStatus();
                  })
          .status());
  return epoch;
}

Status PutGeneration(Journal& journal, const std::string& group, std::uint64_t generation) {
  const auto build = [&](Transaction& transaction) {
    transaction.batch().Put(ColumnFamily::kMeta, kGenerationPrefix + group,
                            EncodeNumber(generation));
    transaction.Audit(
        {"group.generation", {{"group", group}, {"generation", std::to_string(generation)}}});
    return OkStatus();
  };
  return journal.Commit(ServicePrincipal(), build).status();
}

Result<std::map<std::string, std::uint64_t>> ReadGenerations(storage::kv::KvStore& store) {
  std::map<std::string, std::uint64_t> generations;
  Status decoded;
  EMEND_RETURN_IF_ERROR(store.Scan(
      ColumnFamily::kMeta, kGenerationPrefix, "",
      [&](std::string_view key, std::string_view value) {
        const Result<std::uint64_t> generation = DecodeNumber(value);
        decoded = generation.status();
        if (generation.ok())
          generations[std::string(key.substr(sizeof kGenerationPrefix - 1))] = *generation;
        return decoded.ok();
      }));
  EMEND_RETURN_IF_ERROR(decoded);
  return generations;
}

Result<std::string> EnsureWorkerToken(FileSystem& files, Random& random,
                                      const core::StoreLayout& layout) {
  const std::string file = layout.worker_token_file();
  Result<std::string> stored = files.Read(file);
  if (stored.ok()) {
    std::string token = WithoutNewline(std::move(stored).value());
    if (!token.empty()) return token;
    return Status(
        StatusCode::kInvalidArgument, "empty_worker_token",
        "reading the workers' token in " + file + ": the file is empty, expected a secret");
  }
  if (stored.status().code() != StatusCode::kNotFound || !layout.worker_token.empty())
    return stored.status().WithContext("reading the workers' token");
  const std::string secret = NewSecret(random);
  EMEND_RETURN_IF_ERROR(files.WriteAtomically(file, secret + "\n", kPrivateMode));
  return secret;
}

}  // namespace emend::coordinator::store
