// What a worker must know to answer beside its coordinator: names, and who may ask. Part of
// messages.h.
//
// The coordinator publishes to each worker that serves; gateways read it from there, and answer
// from it, also while the coordinator is away.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "storage/base/ids.h"
#include "worker/protocol/equal_fields.h"

namespace emend::worker::protocol {

// A branch or a tag, and what it stands for.
struct PublishedRef {
  RepoName repo;
  std::string ref;
  std::uint64_t created_ms = 0;  // of the repo, Unix epoch
  BaseId base;
  CommitId commit;
  StateId state;
  static auto Fields(auto& m) {
    return std::tie(m.repo, m.ref, m.created_ms, m.base, m.commit, m.state);
  }
};
// A token that may ask.
struct PublishedToken {
  std::string id;
  Digest secret_hash;  // SHA-256 of its secret, which only its owner knows
  std::string principal;
  static auto Fields(auto& m) { return std::tie(m.id, m.secret_hash, m.principal); }
};
struct Publication {
  // of the audit chain, as of which it holds; a later one replaces an earlier one whole
  std::uint64_t sequence = 0;
  std::vector<PublishedRef> refs;  // the most wanted first
  std::vector<PublishedToken> tokens;
  static auto Fields(auto& m) { return std::tie(m.sequence, m.refs, m.tokens); }
};

// Know this.
struct Publish {
  using Reply = struct PublishReply;
  Publication publication;
  static auto Fields(auto& m) { return std::tie(m.publication); }
};
struct PublishReply {
  bool has_gateway = false;      // somebody reads it here; else the rest is empty
  std::optional<BaseId> base;    // that the worker holds
  std::vector<StateId> missing;  // of that base: to be ensured for the refs; then publish again
  static auto Fields(auto& m) { return std::tie(m.has_gateway, m.base, m.missing); }
};

// A gateway asks what it may answer.
struct ReadPublication {
  using Reply = struct ReadPublicationReply;
  static auto Fields(auto&) { return std::tie(); }
};
// What a ref of the publication stands for at this worker: what was published as of `sequence`, the
// last of which is live.
struct ServedRef {
  PublishedRef ref;
  std::uint64_t sequence = 0;
  static auto Fields(auto& m) { return std::tie(m.ref, m.sequence); }
};
struct ReadPublicationReply {
  Publication publication;        // the last
  std::vector<ServedRef> served;  // those of its refs that have something live
  std::uint64_t silent_ms = 0;    // since the coordinator was last heard of
  static auto Fields(auto& m) { return std::tie(m.publication, m.served, m.silent_ms); }
};

}  // namespace emend::worker::protocol
