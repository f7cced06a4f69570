#include <utility>

#include "storage/base/encoding.h"
#include "storage/records/operations.h"
#include "storage/records/record_table.h"

namespace emend::storage::records {
namespace {

using kv::ColumnFamily;

// Token records by id, and their ids by the hash of the secret.
const RecordTable<TokenRecord>& Tokens() {
  static const RecordTable<TokenRecord> table(ColumnFamily::kMeta, "token/", "a token record");
  return table;
}
constexpr std::string_view kSecretPrefix = "token-secret/";

// Lengths keep the principal "a" with the key "bc" apart from "ab" with "c".
std::string IdempotencyKey(std::string_view principal, std::string_view key) {
  Encoder out;
  out.Text(principal);
  out.Text(key);
  return std::move(out).bytes();
}

const RecordTable<IdempotencyRecord>& IdempotencyRecords() {
  static const RecordTable<IdempotencyRecord> table(ColumnFamily::kIdempotency, "",
                                                    "an idempotency record");
  return table;
}

}  // namespace

void PutIdempotency(Transaction& transaction, const IdempotencyRecord& record) {
  IdempotencyRecords().Put(transaction.batch(),
                           IdempotencyKey(transaction.principal().name, record.key), record);
}

Result<std::optional<IdempotencyRecord>> ReadIdempotency(kv::KvStore& store,
                                                         const Principal& principal,
                                                         std::string_view key) {
  auto record = IdempotencyRecords().Find(store, IdempotencyKey(principal.name, key));
  if (!record.ok())
    return record.status().WithContext("looking for a request of principal \"" + principal.name +
                                       "\"");
  return record;
}

void PutToken(Transaction& transaction, const TokenRecord& token) {
  Tokens().Put(transaction.batch(), token.id, token);
  transaction.batch().Put(ColumnFamily::kMeta,
                          std::string(kSecretPrefix).append(token.secret_hash.Raw()), token.id);
}

void RemoveToken(Transaction& transaction, const TokenRecord& token) {
  Tokens().Remove(transaction.batch(), token.id);
  transaction.batch().Delete(ColumnFamily::kMeta,
                             std::string(kSecretPrefix).append(token.secret_hash.Raw()));
}

Result<std::optional<TokenRecord>> FindToken(kv::KvStore& store, std::string_view secret) {
  EMEND_ASSIGN_OR_RETURN(
      const auto id,
      store.Get(ColumnFamily::kMeta, std::string(kSecretPrefix).append(Sha256(secret).Raw())));
  if (!id) return std::optional<TokenRecord>();
  EMEND_ASSIGN_OR_RETURN(std::optional<TokenRecord> token, Tokens().Find(store, *id));
  if (!token)
    return DataLoss("reading token \"" + *id +
                    "\": its secret is known, but its record is missing");
  // A token that was put again with another secret no longer answers to the old one.
  if (token->secret_hash != Sha256(secret)) return std::optional<TokenRecord>();
  return token;
}

Result<std::vector<TokenRecord>> ListTokens(kv::KvStore& store) { return Tokens().List(store); }

}  // namespace emend::storage::records
