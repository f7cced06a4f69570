// Probe suites: facts of a repo's own that its model must go on saying. What a proposal's merge
// would give is asked all of them, and a rule can require it (rules.h, "probes").
//
// Blocks. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/answers/answer_service.h"
#include "coordinator/review/records.h"
#include "storage/objects/fact.h"

namespace emend::coordinator::review {

struct ProbeSuite {
  std::string name;
  std::vector<storage::objects::Fact> facts;
  std::string principal;  // who put it there
  std::int64_t created_ms = 0;

  static constexpr RecordHead kHead = {RecordType::kProbeSuite, 1};
  static auto Fields(auto& m) { return std::tie(m.name, m.facts, m.principal, m.created_ms); }
};
// What is known of a suite without reading its facts.
struct ProbeSuiteHead {
  std::string name;
  std::uint64_t count = 0;
  Digest digest;  // of its facts
  std::string principal;
  std::int64_t created_ms = 0;

  static constexpr RecordHead kHead = {RecordType::kProbeSuiteHead, 1};
  static auto Fields(auto& m) {
    return std::tie(m.name, m.count, m.digest, m.principal, m.created_ms);
  }
};

// kInvalidArgument unless it is 1 to 64 of a-z 0-9 . _ -.
Status CheckSuiteName(const std::string& name);
// In place of the one of this name, by the transaction's principal; audited.
ProbeSuiteHead PutSuite(storage::records::Transaction& transaction,
                        const storage::history::Repository& repository, ProbeSuite suite);
// Of scope admin, and audited. kNotFound.
Status RemoveSuite(storage::records::Journal& journal, const answers::Caller& caller,
                   const RepoName& repo, const std::string& name);

Result<std::vector<ProbeSuiteHead>> ListSuites(const storage::history::Repository& repository);
Result<std::vector<ProbeSuite>> ReadSuites(const storage::history::Repository& repository);
// kNotFound.
Result<ProbeSuite> ReadSuite(const storage::history::Repository& repository,
                             const std::string& name);
// Of all suites: another one as soon as one of them asks something else.
Result<Digest> DigestOfSuites(const storage::history::Repository& repository);

}  // namespace emend::coordinator::review
