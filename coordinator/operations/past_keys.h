// What a solve on a state must leave as it is, written where the workers read it.
//
//   PastKeysFile past(context, operation);
//   EMEND_RETURN_IF_ERROR(past.Write(repository, state));  // on the pool
//   request.past_keys_file = past.path();
//
// The file goes with the object; one that a process left when it was killed is written anew when
// the operation runs again.
#pragma once

#include <string>

#include "coordinator/jobs/operation_kind.h"
#include "storage/history/repository.h"

namespace emend::coordinator::operations {

class PastKeysFile {
 public:
  PastKeysFile(jobs::JobContext& context, const OperationId& operation)
      : context_(context), place_(context.layout.past_keys_file(operation.value())) {}
  ~PastKeysFile();
  PastKeysFile(const PastKeysFile&) = delete;
  PastKeysFile& operator=(const PastKeysFile&) = delete;

  // The keys of the state's edits, by edit; nothing where it has none. Blocks.
  Status Write(const storage::history::Repository& repository, const StateId& state);
  // Empty if nothing was written.
  std::string path() const { return is_written_ ? place_ : ""; }

 private:
  jobs::JobContext& context_;
  const std::string place_;
  bool is_written_ = false;
};

}  // namespace emend::coordinator::operations
