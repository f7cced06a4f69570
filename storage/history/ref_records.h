// Keys and encodings of what is not addressed by its hash: repo records, refs, reflog entries. Each
// ends with a CRC-32C of the bytes before it. Inside storage/history only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/history/repository.h"

namespace emend::storage::history {

// meta: "repo/" ‖ name. The one key without a repo id: it is where the id is found.
inline constexpr std::string_view kRepoKeyPrefix = "repo/";
std::string RepoKey(std::string_view name);
// refs: repo id ‖ kind ‖ name.
std::string RefKey(const objects::RepoId& repo, RefKind kind, std::string_view name);
// reflog: repo id ‖ length-prefixed name ‖ big-endian (2^64 − 1 − index): the newest entry comes
// first.
std::string ReflogPrefix(const objects::RepoId& repo, std::string_view branch);
std::string ReflogKey(const objects::RepoId& repo, std::string_view branch, std::uint64_t index);
// The branch and index in a reflog key of this repo; kDataLoss if it is none.
struct ReflogPlace {
  std::string branch;
  std::uint64_t index = 0;
};
Result<ReflogPlace> ParseReflogKey(std::string_view key);

std::string EncodeRepo(const RepoRecord& record);
Result<RepoRecord> DecodeRepo(std::string_view stored);
// A ref's value repeats its key's kind and name, so that it cannot be read under another one.
std::string EncodeRef(const Ref& ref);
Result<Ref> DecodeRef(std::string_view stored);
std::string EncodeReflogEntry(std::string_view branch, const ReflogEntry& entry);
Result<ReflogEntry> DecodeReflogEntry(std::string_view branch, std::string_view stored);

std::string_view RefKindName(RefKind kind);

// Empty if there is no such ref.
Result<std::optional<Ref>> FindRef(kv::KvStore& store, const objects::RepoId& repo, RefKind kind,
                                   std::string_view name);
// The newest entry, if any.
Result<std::optional<ReflogEntry>> FindNewestEntry(kv::KvStore& store, const objects::RepoId& repo,
                                                   std::string_view branch);

}  // namespace emend::storage::history
