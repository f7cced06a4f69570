// Operations, idempotency keys and tokens: the typed tables of what is accepted but is not history.
//
// All writes go into a Transaction's batch, so that an operation's acceptance is durable together
// with its idempotency key, and its result together with the commit that it made. Reads may come
// from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/ids.h"
#include "storage/records/journal.h"

namespace emend::storage::records {

// Stored: never renumber.
enum class OperationState : std::uint8_t {
  kAccepted = 1,
  kRunning = 2,
  kSucceeded = 3,
  kFailed = 4,
  kCancelled = 5
};
constexpr OperationState LastOf(OperationState) { return OperationState::kCancelled; }
std::string_view OperationStateName(OperationState state);

// How urgent an operation is: a better class is started first. Stored: never renumber; a better
// class has a lower number.
enum class Priority : std::uint8_t { kInteractive = 1, kNormal = 2, kBatch = 3 };
constexpr Priority LastOf(Priority) { return Priority::kBatch; }
// "interactive", "normal", "batch".
std::string_view PriorityName(Priority priority);
std::optional<Priority> ParsePriority(std::string_view name);

struct Operation {
  OperationId id;    // "op-" and 16 hex digits of the acceptance sequence: sorts by acceptance
  std::string kind;  // "commit", "stats", "evaluation", "import", "export", "verify"
  std::string repo;  // may be empty
  OperationState state = OperationState::kAccepted;
  Principal principal;
  std::int64_t accepted_ms = 0;  // Unix epoch
  std::int64_t finished_ms = 0;  // 0: not yet
  std::string request;           // JSON, as accepted
  std::string result;            // JSON, once succeeded
  std::string error_slug;        // once failed or cancelled
  std::string error_message;
  std::uint8_t error_code = 0;  // StatusCode
  Priority priority = Priority::kNormal;
  // Unix epoch: it ends as failed if it has not ended by then; 0: none
  std::int64_t deadline_ms = 0;

  static constexpr RecordHead kHead = {RecordType::kOperation, 2};
  static auto Fields(auto& m) {
    return std::tie(m.id, m.kind, m.repo, m.state, m.principal, m.accepted_ms, m.finished_ms,
                    m.request, m.result, m.error_slug, m.error_message, m.error_code, m.priority,
                    m.deadline_ms);
  }
};

// Puts the operation (new or changed) into the batch and audits `act` ("operation.accept", ...).
void PutOperation(Transaction& transaction, const Operation& operation, std::string_view act);
// kNotFound names the id.
Result<Operation> ReadOperation(kv::KvStore& store, const OperationId& id);
// Newest first: those accepted before `before`, or all for an empty id; at most `count_max`. Their
// requests are left out: a page of them may be gigabytes. kInvalidArgument unless `before` is an
// operation's id.
Result<std::vector<Operation>> ListOperations(kv::KvStore& store, const OperationId& before,
                                              std::size_t count_max);
// Those still to be run, in order of acceptance.
Result<std::vector<Operation>> ListUnfinished(kv::KvStore& store);
// The next id: one more than the greatest stored one. Call inside a transaction.
Result<OperationId> NextOperationId(Transaction& transaction);

struct IdempotencyRecord {
  std::string key;        // the client's
  Digest fingerprint;     // SHA-256 of method, path and body
  OperationId operation;  // what it was answered with
  std::int64_t created_ms = 0;

  static constexpr RecordHead kHead = {RecordType::kIdempotency, 1};
  static auto Fields(auto& m) { return std::tie(m.key, m.fingerprint, m.operation, m.created_ms); }
};
// Keys belong to a principal: two principals may use the same one.
void PutIdempotency(Transaction& transaction, const IdempotencyRecord& record);
Result<std::optional<IdempotencyRecord>> ReadIdempotency(kv::KvStore& store,
                                                         const Principal& principal,
                                                         std::string_view key);

struct TokenRecord {
  std::string id;      // shown in commits and audit
  Digest secret_hash;  // SHA-256 of the secret: the secret itself is never stored
  std::string principal;
  std::vector<std::string> scopes;  // of: ask read propose review merge deploy admin
  std::int64_t created_ms = 0;

  static constexpr RecordHead kHead = {RecordType::kToken, 1};
  static auto Fields(auto& m) {
    return std::tie(m.id, m.secret_hash, m.principal, m.scopes, m.created_ms);
  }
};
void PutToken(Transaction& transaction, const TokenRecord& token);
void RemoveToken(Transaction& transaction, const TokenRecord& token);
// The token with this secret, if any.
Result<std::optional<TokenRecord>> FindToken(kv::KvStore& store, std::string_view secret);
Result<std::vector<TokenRecord>> ListTokens(kv::KvStore& store);

}  // namespace emend::storage::records
