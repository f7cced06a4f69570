// Edits, states, manifests, commits and bases: the immutable records of a repo, their canonical
// encodings and their ids.
//
// Every Encode* gives the one canonical encoding (docs/reference/formats.md), every Decode* refuses
// anything else with kDataLoss; ids are SHA-256 over it. Values only; nothing here touches the
// store (object_store.h does).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "storage/delta/dtype.h"
#include "storage/objects/fact.h"

namespace emend::storage::objects {

// An imported model. Its id covers all of this record, so the same files imported twice, anywhere,
// are the same base.
struct BaseTensor {
  delta::DType dtype = delta::DType::kF32;
  std::vector<std::uint64_t> shape;
  Digest root;  // delta::HashTensor of the file's bytes
  static auto Fields(auto& m) { return std::tie(m.dtype, m.shape, m.root); }
  friend bool operator==(const BaseTensor&, const BaseTensor&) = default;
};
struct Base {
  std::map<std::string, BaseTensor> tensors;
  // every file of the folder: name to SHA-256 (config.json and tokenizer.json among them)
  std::map<std::string, Digest> files;
  std::int32_t grid_exponent = -48;
  std::uint16_t codec_version = 1;
  std::uint16_t rounding_version = 1;

  static constexpr RecordHead kHead = {RecordType::kBase, 1};
  static auto Fields(auto& m) {
    return std::tie(m.grid_exponent, m.codec_version, m.rounding_version, m.tensors, m.files);
  }
  friend bool operator==(const Base&, const Base&) = default;
};
std::string EncodeBase(const Base& base);
Result<Base> DecodeBase(std::string_view stored);
BaseId IdOf(const Base& base);

// The atom of history. Its id is H(salt ‖ plaintext): the salt keeps ids from telling what a
// redacted edit said; storage addresses are not part of it.
struct Edit {
  std::string salt;         // 16 random bytes
  std::vector<Fact> facts;  // at least one
  StateId solved_on;        // what the model was when the columns were solved
  std::string method;       // "memit"
  Digest delta_digest;      // SHA-256 of the EditDelta's plaintext payload
  Digest keys_digest;       // SHA-256 of the keys' plaintext payload
  Digest target_digest;     // SHA-256 of the target's plaintext payload
  ObjectId delta_object;    // where the stored payloads lie: H(stored bytes)
  ObjectId keys_object;
  ObjectId target_object;

  static constexpr RecordHead kHead = {RecordType::kEdit, 2};
  // what it says and does, without where its payloads lie
  static auto Plaintext(auto& m) {
    return std::tie(m.facts, m.solved_on, m.method, m.delta_digest, m.keys_digest, m.target_digest);
  }
  static auto Fields(auto& m) {
    return std::tuple_cat(Plaintext(m),
                          std::tie(m.salt, m.delta_object, m.keys_object, m.target_object));
  }
  friend bool operator==(const Edit&, const Edit&) = default;
};
std::string EncodeEdit(const Edit& edit);
Result<Edit> DecodeEdit(std::string_view stored);
EditId IdOf(const Edit& edit);

// A base and the set of active edits (the trie's root). Canonical: the same set gives the same id,
// whatever the history.
struct State {
  BaseId base;
  ObjectId trie_root;

  static constexpr RecordHead kHead = {RecordType::kState, 1};
  static auto Fields(auto& m) { return std::tie(m.base, m.trie_root); }
  friend bool operator==(const State&, const State&) = default;
};
std::string EncodeState(const State& state);
Result<State> DecodeState(std::string_view stored);
StateId IdOf(const State& state);

// Roots of the tensors of a state that differ from the base; every other tensor's root is the
// base's.
struct Manifest {
  StateId state;
  std::map<std::string, Digest> roots;

  static constexpr RecordHead kHead = {RecordType::kManifest, 1};
  static auto Fields(auto& m) { return std::tie(m.state, m.roots); }
  friend bool operator==(const Manifest&, const Manifest&) = default;
};
std::string EncodeManifest(const Manifest& manifest);
Result<Manifest> DecodeManifest(std::string_view stored);

// CounterFact's measures in percent (docs/reference/glossary.md); NaN: not measured, for want of
// such prompts.
struct Evaluation {
  std::uint64_t records = 0;
  double es = 0, ps = 0, ns = 0, score = 0, es_argmax = 0, ps_argmax = 0, ns_argmax = 0;

  static constexpr RecordHead kHead = {RecordType::kEvaluation, 1};
  static auto Fields(auto& m) {
    return std::tie(m.records, m.es, m.ps, m.ns, m.score, m.es_argmax, m.ps_argmax, m.ns_argmax);
  }
  friend bool operator==(const Evaluation&, const Evaluation&) = default;
};

// Stored: never renumber.
enum class CommitKind : std::uint8_t {
  kImport = 1,
  kEdit = 2,
  kRevert = 3,
  kMerge = 4,
  kCherryPick = 5,
  kRebase = 6,
  kRefit = 7
};
constexpr CommitKind LastOf(CommitKind) { return CommitKind::kRefit; }
std::string_view CommitKindName(CommitKind kind);

struct Commit {
  CommitKind kind = CommitKind::kEdit;
  std::vector<CommitId> parents;  // none: the import
  BaseId base;
  StateId state;
  std::string author;  // principal
  std::string token_id;
  std::int64_t time_ms = 0;  // Unix epoch
  std::string message;
  std::vector<EditId> added;  // against the first parent, sorted
  std::vector<EditId> removed;
  // canonical JSON of the solver's settings, context templates among them; empty where nothing was
  // solved
  std::string settings;
  std::uint64_t seed = 0;
  std::string statistics;  // id of the covariances used; empty where none
  // evidence: the committed facts on the parent and on this state
  std::optional<Evaluation> before;
  std::optional<Evaluation> after;
  // what else was measured: canonical JSON (docs/reference/operations.md); empty where nothing was
  std::string evidence;

  static constexpr RecordHead kHead = {RecordType::kCommit, 2};
  static auto Fields(auto& m) {
    return std::tie(m.kind, m.parents, m.base, m.state, m.author, m.token_id, m.time_ms, m.message,
                    m.added, m.removed, m.settings, m.seed, m.statistics, m.before, m.after,
                    m.evidence);
  }
  friend bool operator==(const Commit&, const Commit&) = default;
};
std::string EncodeCommit(const Commit& commit);
Result<Commit> DecodeCommit(std::string_view stored);
CommitId IdOf(const Commit& commit);

}  // namespace emend::storage::objects
