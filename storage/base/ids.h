// Strong types for every id, so that a commit cannot be passed where a state is meant.
//
// Content ids (BaseId, StateId, ...) are SHA-256 digests over a canonical encoding
// (docs/reference/formats.md). Named<> wraps other values, such as repo names and layer indices.
// Both compare, hash and print; neither converts implicitly.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/base/digest.h"

namespace emend {

template <typename Tag>
class ContentId {
 public:
  ContentId() = default;
  explicit ContentId(Digest digest) : digest_(digest) {}

  const Digest& digest() const { return digest_; }
  std::string Hex() const { return digest_.Hex(); }
  // The first 12 hex digits, as shown to people.
  std::string Short() const { return digest_.Hex().substr(0, 12); }
  std::string_view Raw() const { return digest_.Raw(); }
  bool IsZero() const { return digest_.IsZero(); }

  static Result<ContentId> FromHex(std::string_view hex) {
    EMEND_ASSIGN_OR_RETURN(const Digest digest, Digest::FromHex(hex));
    return ContentId(digest);
  }
  static Result<ContentId> FromRaw(std::string_view raw) {
    EMEND_ASSIGN_OR_RETURN(const Digest digest, Digest::FromRaw(raw));
    return ContentId(digest);
  }

  friend auto operator<=>(const ContentId&, const ContentId&) = default;

 private:
  Digest digest_;
};

// an imported model: config, tokenizer, tensors, grid, codec and rounding versions
using BaseId = ContentId<struct BaseIdTag>;
using EditId = ContentId<struct EditIdTag>;  // one edit: H(salt || canonical plaintext)
// a base and a set of active edits: H(format, base, trie root)
using StateId = ContentId<struct StateIdTag>;
using CommitId = ContentId<struct CommitIdTag>;  // a step of history
using ObjectId = ContentId<struct ObjectIdTag>;  // H(stored bytes): where bytes lie

template <typename T, typename Tag>
class Named {
 public:
  Named() = default;
  explicit Named(T value) : value_(std::move(value)) {}
  const T& value() const { return value_; }
  friend auto operator<=>(const Named&, const Named&) = default;

 private:
  T value_{};
};

using RepoName = Named<std::string, struct RepoNameTag>;        // [a-z0-9][a-z0-9._-]{0,63}
using OperationId = Named<std::string, struct OperationIdTag>;  // opaque, sortable by acceptance
using WorkerId = Named<std::string, struct WorkerIdTag>;
using LayerIndex = Named<std::int32_t, struct LayerIndexTag>;  // 0 is the first block

}  // namespace emend

template <typename Tag>
struct std::hash<emend::ContentId<Tag>> {
  std::size_t operator()(const emend::ContentId<Tag>& id) const noexcept {
    return std::hash<emend::Digest>()(id.digest());
  }
};

template <typename T, typename Tag>
struct std::hash<emend::Named<T, Tag>> {
  std::size_t operator()(const emend::Named<T, Tag>& name) const noexcept {
    return std::hash<T>()(name.value());
  }
};
