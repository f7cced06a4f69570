// What can be submitted: the bodies of operations, as typed values, read strictly from JSON and
// written back canonically.
//
// The same JSON is the REST body, what is stored with the accepted operation, and what is run again
// after a restart. Unknown fields, wrong types and out-of-range values are kInvalidArgument with a
// JSON pointer: `at /facts/3/prompt: found no "{}", expected exactly one`. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "storage/base/status.h"
#include "storage/objects/fact.h"

namespace emend::coordinator::core {

inline constexpr std::size_t kFactsMax = 10'000;  // of one submission

struct ImportRequest {
  std::string model;  // folder on the coordinator's machine, below a model root
  std::string message;
};

struct StatisticsRequest {
  std::vector<std::string> lines;    // each tokenised alone; empty: the model samples its own
  std::uint64_t tokens_max = 0;      // 0: all lines
  std::vector<std::int32_t> layers;  // empty: the layers that commits edit by default
  std::uint64_t seed = 0;            // of the sampled lines
};

struct CommitRequest {
  std::string branch = "main";
  std::vector<storage::objects::Fact> facts;
  std::string message;
  std::string method = "memit";
  std::vector<std::pair<std::string, std::string>> settings;  // MEMIT's names
  // empty: sampled from the model by `seed`
  std::vector<std::vector<std::string>> context_templates;
  // commit facts again that are already held with the same target
  bool force = false;
  // keep the edits that hold the same slots
  bool stack = false;
  bool evaluate = true;  // on the parent and on the result
};

struct RevertRequest {
  std::string branch = "main";
  std::string commit;  // revision
  std::string message;
};

struct EvaluationRequest {
  std::string revision = "main";
  std::vector<storage::objects::Fact> facts;
};

struct VerifyRequest {
  std::string revision = "main";
};

struct ExportRequest {
  std::string revision = "main";
  std::string format = "safetensors";
  std::string folder;  // new or empty, on the coordinator's machine, below a model root
};

struct FsckRequest {};

using OperationRequest =
    std::variant<ImportRequest, StatisticsRequest, CommitRequest, RevertRequest, EvaluationRequest,
                 VerifyRequest, ExportRequest, FsckRequest>;

// `kind` as in Submission. kInvalidArgument; kUnsupported ("unknown_operation") for another kind.
Result<OperationRequest> ParseRequest(std::string_view kind, std::string_view json);

// The scope that a submission of this kind needs; empty for an unknown kind.
std::string_view ScopeOf(std::string_view kind);

// A fact as JSON, as requests hold it and as the API shows it; canonical field order, empty fields
// left out.
std::string FactToJson(const storage::objects::Fact& fact);

}  // namespace emend::coordinator::core
