// The edits of one base that a worker has been given, decoded, at most so many bytes of them; the
// ones used longest ago leave first.
//
// Used by the compute thread only. What leaves is no loss: EnsureState then reports it missing, and
// the coordinator sends it again.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "storage/delta/payload.h"

namespace emend::worker::server {

class EditCache {
 public:
  explicit EditCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // kDataLoss names the edit if the payload does not decode; the cache is unchanged then. Putting
  // an edit again changes nothing.
  Status Put(const EditId& id, std::string_view payload);
  // Keeps these, however many bytes they are, until Want is called again: the edits of the state
  // that is being made. Without it a state of more bytes than the bound could never be put
  // together.
  void Want(const std::vector<EditId>& edits);
  // Null if it is not here. What is returned stays valid while it is held.
  std::shared_ptr<const storage::delta::EditDelta> Find(const EditId& id);

  std::size_t bytes() const { return bytes_; }
  // Of the edits in memory: those here, and those that left and are held by others still.
  std::size_t held_bytes() const { return *held_bytes_; }

 private:
  struct Entry {
    std::shared_ptr<const storage::delta::EditDelta> delta;
    std::size_t bytes = 0;
    std::list<EditId>::iterator place;  // in used_
  };

  std::shared_ptr<const storage::delta::EditDelta> Counted(storage::delta::EditDelta delta,
                                                           std::size_t bytes);
  void Trim();

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  // outlives the cache with the edits
  const std::shared_ptr<std::size_t> held_bytes_ = std::make_shared<std::size_t>(0);
  // most recent first
  std::list<EditId> used_;
  std::unordered_map<EditId, Entry> entries_;
  std::unordered_set<EditId> wanted_;
};

}  // namespace emend::worker::server
