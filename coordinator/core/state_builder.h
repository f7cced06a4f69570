// What a state is, rebuilt by integers alone: the served bytes and roots of every tensor that its
// edits touch.
//
// The coordinator never sees a worker's memory; it computes the same state independently, writes
// the roots into the state's manifest, and compares (verify). Blocks; runs on the pool.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "coordinator/core/stored_base.h"
#include "storage/delta/payload.h"
#include "storage/delta/rebuild.h"
#include "storage/objects/object_store.h"

namespace emend::coordinator::core {

// What an edit stored, as its record describes it. kDataLoss or kNotFound.
Result<std::string> ReadDelta(const storage::objects::ObjectStore& objects, const EditId& id);

// The decoded deltas of these edits, in their order. kDataLoss or kNotFound names the edit.
Result<std::vector<storage::delta::EditDelta>> LoadDeltas(
    const storage::objects::ObjectStore& objects, std::span<const EditId> edits);

// Served bytes and root of each tensor that a delta touches. Empty for no deltas: the base serves
// as it is. kDataLoss ("base_damaged") if the base holds other bytes for one of them than were
// imported.
Result<std::map<std::string, storage::delta::RebuiltTensor>> RebuildTensors(
    const StoredBase& base, std::span<const storage::delta::EditDelta> deltas);

// The same from the edits of a stored state.
Result<std::map<std::string, storage::delta::RebuiltTensor>> RebuildState(
    const StoredBase& base, const storage::history::Repository& repository, const StateId& state);

// The state's manifest from rebuilt tensors.
storage::objects::Manifest ManifestOf(
    const StateId& state, const std::map<std::string, storage::delta::RebuiltTensor>& tensors);

}  // namespace emend::coordinator::core
