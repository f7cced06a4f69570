#include "storage/records/operations.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "storage/base/encoding.h"
#include "storage/records/record_table.h"

namespace emend::storage::records {
namespace {

using kv::ColumnFamily;

// Column family operations: the records, an index of those still to be run, and the last number
// given out.
constexpr std::string_view kUnfinishedPrefix = "u/";
constexpr std::string_view kLastNumberKey = "n";

const RecordTable<Operation>& Operations() {
  static const RecordTable<Operation> table(ColumnFamily::kOperations, "o/", "an operation");
  return table;
}

std::string UnfinishedKey(const OperationId& id) {
  return std::string(kUnfinishedPrefix) + id.value();
}

bool IsUnfinished(OperationState state) {
  return state == OperationState::kAccepted || state == OperationState::kRunning;
}

Result<std::uint64_t> DecodeNumber(std::string_view bytes) {
  Decoder in(bytes);
  const std::uint64_t number = in.U64();
  EMEND_RETURN_IF_ERROR(in.Finish());
  return number;
}

OperationId IdOf(std::uint64_t number) {
  char id[32];
  std::snprintf(id, sizeof id, "op-%016llx", static_cast<unsigned long long>(number));
  return OperationId(id);
}

Result<std::uint64_t> NumberOf(const OperationId& id) {
  const std::string_view text = id.value();
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const bool has_prefix = text.starts_with("op-");
  if (!has_prefix || std::from_chars(text.data() + 3, end, number, 16).ptr != end ||
      IdOf(number) != id) {
    return InvalidArgument("listing operations before \"" + id.value() +
                           "\": expected an operation's id, as op-000000000000000a");
  }
  return number;
}

// Of this transaction if it gave out a number before, else the stored one.
Result<std::uint64_t> LastNumber(Transaction& transaction) {
  const auto& changes = transaction.batch().changes();
  const auto given = std::find_if(changes.rbegin(), changes.rend(), [](const auto& change) {
    return change.family == ColumnFamily::kOperations && change.key == kLastNumberKey;
  });
  if (given != changes.rend()) return DecodeNumber(*given->value);
  EMEND_ASSIGN_OR_RETURN(const auto stored,
                         transaction.store().Get(ColumnFamily::kOperations, kLastNumberKey));
  return stored ? DecodeNumber(*stored) : std::uint64_t{0};
}

}  // namespace

std::string_view OperationStateName(OperationState state) {
  switch (state) {
    case OperationState::kAccepted: return "accepted";
    case OperationState::kRunning: return "running";
    case OperationState::kSucceeded: return "succeeded";
    case OperationState::kFailed: return "failed";
    case OperationState::kCancelled: return "cancelled";
  }
  return "unknown";
}

std::string_view PriorityName(Priority priority) {
  switch (priority) {
    case Priority::kInteractive: return "interactive";
    case Priority::kNormal: return "normal";
    case Priority::kBatch: return "batch";
  }
  return "unknown";
}

std::optional<Priority> ParsePriority(std::string_view name) {
  for (const Priority priority : {Priority::kInteractive, Priority::kNormal, Priority::kBatch}) {
    if (PriorityName(priority) == name) return priority;
  }
  return std::nullopt;
}

void PutOperation(Transaction& transaction, const Operation& operation, std::string_view act) {
  Operations().Put(transaction.batch(), operation.id.value(), operation);
  if (IsUnfinished(operation.state)) {
    transaction.batch().Put(ColumnFamily::kOperations, UnfinishedKey(operation.id), "");
  } else {
    transaction.batch().Delete(ColumnFamily::kOperations, UnfinishedKey(operation.id));
  }
  AuditAct entry{std::string(act), {{"operation", operation.id.value()}, {"kind", operation.kind}}};
  if (!operation.repo.empty()) entry.ids.emplace_back("repo", operation.repo);
  transaction.Audit(std::move(entry));
}

Result<Operation> ReadOperation(kv::KvStore& store, const OperationId& id) {
  Result<std::optional<Operation>> found = Operations().Find(store, id.value());
  if (!found.ok()) return found.status().WithContext("reading operation \"" + id.value() + "\"");
  if (!*found)
    return NotFound("reading operation \"" + id.value() + "\": there is none of this id");
  return std::move(**found);
}

Result<std::vector<Operation>> ListOperations(kv::KvStore& store, const OperationId& before,
                                              std::size_t count_max) {
  EMEND_ASSIGN_OR_RETURN(const auto stored, store.Get(ColumnFamily::kOperations, kLastNumberKey));
  std::uint64_t end = 1;
  if (stored) {
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t last, DecodeNumber(*stored));
    end = last + 1;
  }
  if (!before.value().empty()) {
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t asked, NumberOf(before));
    end = std::min(end, asked);
  }
  std::vector<Operation> operations;
  for (std::uint64_t number = end; number > 1 && operations.size() < count_max;) {
    Result<Operation> operation = ReadOperation(store, IdOf(--number));
    if (operation.status().code() == StatusCode::kNotFound) continue;
    if (!operation.ok()) return operation.status();
    operation->request = {};
    operations.push_back(std::move(operation).value());
  }
  return operations;
}

Result<std::vector<Operation>> ListUnfinished(kv::KvStore& store) {
  std::vector<OperationId> ids;
  EMEND_RETURN_IF_ERROR(store.Scan(ColumnFamily::kOperations, kUnfinishedPrefix, "",
                                   [&](std::string_view key, std::string_view) {
                                     ids.emplace_back(
                                         std::string(key.substr(kUnfinishedPrefix.size())));
                                     return true;
                                   }));
  std::vector<Operation> operations;
  for (const OperationId& id : ids) {
    EMEND_ASSIGN_OR_RETURN(Operation operation, ReadOperation(store, id));
    // else it ended since the scan
    if (IsUnfinished(operation.state)) operations.push_back(std::move(operation));
  }
  return operations;
}

Result<OperationId> NextOperationId(Transaction& transaction) {
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t last, LastNumber(transaction));
  Encoder number;
  number.U64(last + 1);
  transaction.batch().Put(ColumnFamily::kOperations, kLastNumberKey, number.bytes());
  return IdOf(last + 1);
}

}  // namespace emend::storage::records
