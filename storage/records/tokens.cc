#include <utility>

#include "storage/base/encoding.h"
#include "storage/records/operations.h"

namespace emend::storage::records {
namespace {

using kv::ColumnFamily;

// Column family meta: token records by id, and their ids by the hash of the secret.
constexpr std::string_view kTokenPrefix = "token/";
constexpr std::string_view kSecretPrefix = "token-secret/";

// Lengths keep the principal "a" with the key "bc" apart from "ab" with "c".
std::string IdempotencyKey(std::string_view principal, std::string_view key) {
  Encoder out;
  out.Text(principal);
  out.Text(key);
  return std::move(out).bytes();
}

Result<TokenRecord> DecodeToken(std::string_view bytes) {
  Result<TokenRecord> token = DecodeRecord<TokenRecord>(bytes);
  if (!token.ok()) return token.status().WithContext("reading a token record");
  return token;
}

}  // namespace

void PutIdempotency(Transaction& transaction, const IdempotencyRecord& record) {
  transaction.batch().Put(ColumnFamily::kIdempotency,
                          IdempotencyKey(transaction.principal().name, record.key),
                          EncodeRecord(record));
}

Result<std::optional<IdempotencyRecord>> ReadIdempotency(kv::KvStore& store,
                                                         const Principal& principal,
                                                         std::string_view key) {
  EMEND_ASSIGN_OR_RETURN(const auto stored, store.Get(ColumnFamily::kIdempotency,
                                                      IdempotencyKey(principal.name, key)));
  if (!stored) return std::optional<IdempotencyRecord>();
  const Result<IdempotencyRecord> record = DecodeRecord<IdempotencyRecord>(*stored);
  if (!record.ok())
    return record.status().WithContext("reading an idempotency record of principal \"" +
                                       principal.name + "\"");
  return std::optional<IdempotencyRecord>(*record);
}

void PutToken(Transaction& transaction, const TokenRecord& token) {
  transaction.batch().Put(ColumnFamily::kMeta, std::string(kTokenPrefix) + token.id,
                          EncodeRecord(token));
  transaction.batch().Put(ColumnFamily::kMeta,
                          std::string(kSecretPrefix).append(token.secret_hash.Raw()), token.id);
}

void RemoveToken(Transaction& transaction, const TokenRecord& token) {
  transaction.batch().Delete(ColumnFamily::kMeta, std::string(kTokenPrefix) + token.id);
  transaction.batch().Delete(ColumnFamily::kMeta,
                             std::string(kSecretPrefix).append(token.secret_hash.Raw()));
}

Result<std::optional<TokenRecord>> FindToken(kv::KvStore& store, std::string_view secret) {
  EMEND_ASSIGN_OR_RETURN(
      const auto id,
      store.Get(ColumnFamily::kMeta, std::string(kSecretPrefix).append(Sha256(secret).Raw())));
  if (!id) return std::optional<TokenRecord>();
  EMEND_ASSIGN_OR_RETURN(const auto stored,
                         store.Get(ColumnFamily::kMeta, std::string(kTokenPrefix) + *id));
  if (!stored)
    return DataLoss("reading token \"" + *id +
                    "\": its secret is known, but its record is missing");
  EMEND_ASSIGN_OR_RETURN(TokenRecord token, DecodeToken(*stored));
  // A token that was put again with another secret no longer answers to the old one.
  if (token.secret_hash != Sha256(secret)) return std::optional<TokenRecord>();
  return std::optional<TokenRecord>(std::move(token));
}

Result<std::vector<TokenRecord>> ListTokens(kv::KvStore& store) {
  std::vector<TokenRecord> tokens;
  Status decoded;
  EMEND_RETURN_IF_ERROR(store.Scan(ColumnFamily::kMeta, kTokenPrefix, "",
                                   [&](std::string_view, std::string_view value) {
                                     Result<TokenRecord> token = DecodeToken(value);
                                     if (!token.ok()) {
                                       decoded = token.status();
                                       return false;
                                     }
                                     tokens.push_back(std::move(token).value());
                                     return true;
                                   }));
  EMEND_RETURN_IF_ERROR(decoded);
  return tokens;
}

}  // namespace emend::storage::records
