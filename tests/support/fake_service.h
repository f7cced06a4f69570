// FakeService: a coordinator without workers or model, for tests of what lies above it. What is
// recorded is a FakeHistory. Operations are accepted and then
// moved by the test, or end at once with a result of their kind when auto_finish is set. Repos with
// these names fail everything: "gone" kNotFound, "taken" kAlreadyExists, "clash" kConflict, "rule"
// kFailedPrecondition, "full" kResourceExhausted, "nowhere" kUnavailable, "rotten" kDataLoss, "bug"
// kInternal, "odd" kUnsupported, "thrown" throws. The revision "bad" verifies as not ok. Used on
// the runtime's executor only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/server/service.h"
#include "tests/support/fake_history.h"

namespace emend::test {

class FakeService : public coordinator::server::Service {
 public:
  explicit FakeService(Runtime& runtime, bool auto_finish = false);
  ~FakeService() override;

  // What tests do to operations.
  void Progress(const OperationId& id, std::string phase, std::uint64_t done, std::uint64_t total);
  void Finish(const OperationId& id, std::string result_json);
  void Fail(const OperationId& id, Status status);
  std::size_t operation_count() const { return operations_.size(); }
  const coordinator::server::Submission& last_submission() const { return last_submission_; }
  void SetReady(Status ready) { ready_ = std::move(ready); }
  // The commits of main, oldest first.
  static CommitId CommitNumber(int number);

  Awaitable<Result<coordinator::server::Caller>> Authenticate(std::string secret) override;
  Awaitable<Result<coordinator::server::OperationView>> Submit(
      coordinator::server::Caller caller, coordinator::server::Submission submission) override;
  Awaitable<Result<coordinator::server::OperationView>> ReadOperation(OperationId id) override;
  Awaitable<Result<std::vector<coordinator::server::OperationView>>> ListOperations(
      OperationId before, std::size_t count_max) override;
  Awaitable<Result<coordinator::server::OperationView>> WaitForChange(OperationId id,
                                                                      std::uint64_t version,
                                                                      SteadyTime deadline) override;
  Awaitable<Result<coordinator::server::OperationView>> Cancel(coordinator::server::Caller caller,
                                                               OperationId id) override;
  // Says each word of the prompt, and the end; `stop` texts do not count. "wait" never ends, "fail"
  // fails behind its first word.
  Awaitable<Result<std::shared_ptr<coordinator::server::CompletionStream>>> Complete(
      coordinator::server::Caller caller, coordinator::server::CompletionRequest request) override;
  const coordinator::server::CompletionRequest& last_completion() const { return last_completion_; }
  // Those that nobody waited for any more.
  std::size_t completions_given_up() const { return completions_given_up_; }
  Awaitable<Result<std::vector<coordinator::server::ServedModel>>> ListModels() override;
  storage::records::Journal& journal() override { return *journal_; }
  Awaitable<Result<coordinator::server::DiffReport>> Diff(RepoName repo, std::string from,
                                                          std::string to) override;
  std::vector<coordinator::membership::WorkerInfo> Workers() const override;
  // One group of two ranks that reach each other, with a warning.
  Awaitable<Result<coordinator::server::Diagnosis>> Diagnose(
      coordinator::server::Caller caller) override;
  Status Ready() const override { return ready_; }

 private:
  struct Running {
    coordinator::server::OperationView view;
    Digest fingerprint;
    std::unique_ptr<Signal> changed;
  };
  void Touch(Running& running);
  void FinishByKind(const OperationId& id, const coordinator::server::Submission& submission);
  Status CheckBranch(const coordinator::server::Submission& submission);
  storage::history::Repository repo();

  Runtime& runtime_;
  const bool auto_finish_;
  FakeHistory history_;
  const std::unique_ptr<storage::kv::KvStore> store_;
  const std::unique_ptr<storage::records::Journal> journal_;
  Status ready_;
  coordinator::server::Submission last_submission_;
  coordinator::server::CompletionRequest last_completion_;
  std::size_t completions_given_up_ = 0;
  std::map<OperationId, Running> operations_;
  std::map<std::string, OperationId> keys_;  // idempotency keys
};

}  // namespace emend::test
