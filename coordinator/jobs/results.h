// The results of operations as JSON: docs/reference/operations.md lists them. Pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/base/ids.h"
#include "storage/checkpoint/file_digests.h"
#include "storage/history/fsck.h"
#include "storage/objects/edit.h"
#include "worker/protocol/memit_settings.h"
#include "worker/protocol/messages.h"

namespace emend::coordinator::jobs {

struct CommitResult {
  CommitId commit;
  StateId state;
  std::string branch;
  std::size_t edits = 0;
  std::size_t superseded = 0;
  std::size_t skipped = 0;     // held already with the same target
  std::size_t duplicates = 0;  // said more than once in the request
  // total, targets, keys, solve, apply, evaluate, store; of all that were solved together
  std::map<std::string, double> seconds;
  std::optional<storage::objects::Evaluation> before;
  std::optional<storage::objects::Evaluation> after;
  std::vector<worker::protocol::LayerReport> layers;
  // id of those it was solved with; empty if nothing was solved
  std::string statistics;
  std::uint64_t statistics_tokens = 0;  // that they were taken over
  std::vector<std::string> coalesced;   // ids of the other operations that were solved with it
};
std::string ToJson(const CommitResult& result);

struct ImportResult {
  std::string repo;
  CommitId commit;
  StateId state;
  BaseId base;
  std::vector<std::string> warnings = {};
};
std::string ToJson(const ImportResult& result);

struct RevertResult {
  CommitId commit;
  StateId state;
  std::string branch;
  std::size_t removed = 0;
  std::size_t restored = 0;
  std::vector<EditId> blocked;  // not put back: a newer edit holds the slot
};
std::string ToJson(const RevertResult& result);

struct StatisticsResult {
  std::string id;
  std::vector<std::int32_t> layers;
  std::uint64_t tokens = 0;
  // 10 for each input of a down projection: with fewer, edits disturb what stands near them
  std::uint64_t tokens_advised = 0;
  double seconds = 0;
  std::optional<std::uint64_t> sampled_by;  // as in StatisticsRecord
};
std::string ToJson(const StatisticsResult& result);

struct EvaluationResult {
  CommitId commit;
  StateId state;
  storage::objects::Evaluation measured;
};
std::string ToJson(const EvaluationResult& result);

struct VerifyResult {
  CommitId commit;
  StateId state;
  std::vector<storage::checkpoint::DigestCheck> tensors;
  std::vector<storage::checkpoint::DigestCheck> files;  // of the stored base
  bool ok() const;
};
std::string ToJson(const VerifyResult& result);

struct ExportResult {
  CommitId commit;
  StateId state;
  std::string folder;
  std::vector<std::string> files;
};
std::string ToJson(const ExportResult& result);

std::string ToJson(const storage::history::FsckReport& report);

// A commit's settings in canonical form: keys in order, numbers in shortest form, templates
// included.
std::string ToJson(const worker::protocol::MemitSettings& settings);

storage::objects::Evaluation ToEvaluation(const worker::protocol::EvaluateReply& reply);

}  // namespace emend::coordinator::jobs
