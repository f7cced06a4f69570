// The victim of the crash tests: opens the store in a folder and commits numbered entries for ever,
// printing each number once it is acknowledged.
//
//   storage_records_journal_writer FOLDER      (EMEND_FAILPOINT may be armed)
//
// Commit n puts meta/<n>, and payload/<n> in an unsynced batch before it, as the coordinator does.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "storage/base/clock.h"
#include "storage/base/file_system.h"
#include "storage/kv/kv_store.h"
#include "storage/records/journal.h"

namespace emend::storage::records {
namespace {

Status Run(const std::string& folder) {
  PosixFileSystem files;
  SystemClock clock;
  EMEND_ASSIGN_OR_RETURN(const auto store, kv::OpenRocksKv({.path = folder + "/db"}));
  EMEND_ASSIGN_OR_RETURN(const auto journal,
                         Journal::Open(*store, files, clock, folder + "/anchor"));
  for (std::uint64_t number = journal->head() + 1;; ++number) {
    const std::string key = std::to_string(number);
    kv::WriteBatch payload;
    payload.Put(kv::ColumnFamily::kPayload, key,
                std::string(number * 7919 % 9000, static_cast<char>('a' + number % 26)));
    EMEND_RETURN_IF_ERROR(store->Write(payload, kv::Durability::kUnsynced));
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t sequence,
                           journal->Commit({"writer", ""}, [&](Transaction& transaction) {
                             transaction.batch().Put(kv::ColumnFamily::kMeta, key, key);
                             transaction.Audit({"test.put", {{"key", key}}});
                             return OkStatus();
                           }));
    const std::string line = std::to_string(sequence) + "\n";
    if (write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      return Unavailable("the parent is gone");
  }
}

}  // namespace
}  // namespace emend::storage::records

int main(int argc, char** argv) {
  const emend::Status status = emend::storage::records::Run(argc > 1 ? argv[1] : ".");
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
