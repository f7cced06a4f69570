// Keys of a repo's immutable records: repo id (16 bytes) ‖ kind (one byte) ‖ id (32 bytes). Inside
// storage only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/kv/kv_store.h"
#include "storage/objects/object_store.h"

namespace emend::storage::objects {

// Stored: never renumber.
enum class ObjectKind : std::uint8_t {
  kEdit = 1,
  kState = 2,
  kManifest = 3,
  kObject = 4,
  kPayload = 5,
  kCommit = 6
};

std::string_view ObjectKindName(ObjectKind kind);
// commits and payloads have column families of their own, the rest is in `objects`.
kv::ColumnFamily FamilyOf(ObjectKind kind);
// `raw_id` may be the beginning of an id: then this is the prefix to scan for.
std::string ObjectKey(const RepoId& repo, ObjectKind kind, std::string_view raw_id);

}  // namespace emend::storage::objects
