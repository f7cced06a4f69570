// The handlers behind the route table, by resource. Inside this folder only.
//
// A handler gets a request that is authenticated, within its scope and bounds, and whose parameters
// are known ones; it returns a Response, or the Status that becomes a problem document. `context`
// outlives every request.
#pragma once

#include <string>
#include <string_view>

#include "api/rest/message.h"
#include "api/rest/router.h"
#include "coordinator/server/service.h"

namespace emend::api::rest {

struct HandlerContext {
  const std::vector<Route>* routes = nullptr;
  coordinator::answers::AnswerService* answers = nullptr;
  coordinator::server::Service* service = nullptr;  // of the routes beyond AnswerRoutes(), or null
  Runtime* runtime = nullptr;
  std::string_view version;
  std::string openapi_json;
  bool stopping = false;  // waits end soon after it was set
};

// parameters.cc
// kInvalidArgument ("bad_parameter") unless absent or a whole number within the bounds.
Result<std::uint64_t> NumberParameter(const Request& request, const std::string& name,
                                      std::uint64_t fallback, std::uint64_t max);
// "30s" or "1500ms", at most 60 s; zero if absent.
Result<std::chrono::milliseconds> WaitParameter(const Request& request);
// Normal if absent.
Result<storage::records::Priority> PriorityParameter(const Request& request);
// Whole seconds, at least one, at most 30 days; zero if absent.
Result<std::chrono::seconds> TimeoutParameter(const Request& request);

// handle_repos.cc
Awaitable<Result<Response>> ListRepos(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadRepo(HandlerContext* context, Request request);
Awaitable<Result<Response>> ListStatistics(HandlerContext* context, Request request);

// handle_history.cc
Awaitable<Result<Response>> ListCommits(HandlerContext* context, Request request);
Awaitable<Result<Response>> ShowCommit(HandlerContext* context, Request request);
Awaitable<Result<Response>> DiffCommits(HandlerContext* context, Request request);

// handle_refs.cc
Awaitable<Result<Response>> ListRefs(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadBranch(HandlerContext* context, Request request);
Awaitable<Result<Response>> PutBranch(HandlerContext* context, Request request);
Awaitable<Result<Response>> DeleteBranch(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadReflog(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadTag(HandlerContext* context, Request request);
Awaitable<Result<Response>> PutTag(HandlerContext* context, Request request);
Awaitable<Result<Response>> DeleteTag(HandlerContext* context, Request request);

// handle_submissions.cc: each submits an operation and answers 202 with its Location.
Awaitable<Result<Response>> ImportRepo(HandlerContext* context, Request request);
Awaitable<Result<Response>> SubmitCommit(HandlerContext* context, Request request);
Awaitable<Result<Response>> SubmitRevert(HandlerContext* context, Request request);
Awaitable<Result<Response>> SubmitEvaluation(HandlerContext* context, Request request);
Awaitable<Result<Response>> SubmitVerification(HandlerContext* context, Request request);
Awaitable<Result<Response>> SubmitExport(HandlerContext* context, Request request);
Awaitable<Result<Response>> SubmitStatistics(HandlerContext* context, Request request);
Awaitable<Result<Response>> SubmitFsck(HandlerContext* context, Request request);

// handle_operations.cc
Awaitable<Result<Response>> ListOperations(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadOperation(HandlerContext* context, Request request);
Awaitable<Result<Response>> CancelOperation(HandlerContext* context, Request request);
Awaitable<Result<Response>> StreamOperation(HandlerContext* context, Request request);
// The operation once it has ended, or as it is when `wait` is over or the server stops.
Awaitable<Result<coordinator::server::OperationView>> AwaitEnd(
    HandlerContext* context, coordinator::server::OperationView view,
    std::chrono::milliseconds wait);

// handle_completions.cc
Awaitable<Result<Response>> CreateCompletion(HandlerContext* context, Request request);
Awaitable<Result<Response>> ListModels(HandlerContext* context, Request request);

// handle_diagnosis.cc
Awaitable<Result<Response>> CreateDiagnosis(HandlerContext* context, Request request);

// handle_server.cc
Awaitable<Result<Response>> Ask(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadAudit(HandlerContext* context, Request request);
Awaitable<Result<Response>> ListWorkers(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadVersion(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadOpenApi(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadLiveness(HandlerContext* context, Request request);
Awaitable<Result<Response>> ReadReadiness(HandlerContext* context, Request request);

}  // namespace emend::api::rest
