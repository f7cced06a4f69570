// Long work: routes that submit an operation, and operations on the wire. Inside this folder only.
//
//   SubmissionRoute({.pattern = "/api/v1/repos/{repo}/commits",
//                    .operation_id = "createCommit",
//                    .summary = "Edit facts in one batch; result Committed",
//                    .scope = Scope::kMerge,
//                    .body = BulkBody("CommitRequest"),
//                    .kind = "commit"})
//
// is the whole of such a route: the kind of operation (coordinator/jobs) says the rest.
#pragma once

#include <chrono>

#include "api/rest/handler.h"
#include "api/rest/render.h"

namespace emend::api::rest {

struct SubmissionOptions {
  std::string_view pattern;
  std::string_view operation_id;
  std::string_view summary;
  RequiredScope scope;
  Body body;
  std::string_view kind;
  Handler handler = nullptr;  // null: the body is the operation's request, as it stands
};
Route SubmissionRoute(const SubmissionOptions& options);

// Submits what the request says beside its body, of this kind. Answers 202 with the Location.
Awaitable<Result<Response>> Submit(HandlerContext* context, Request request,
                                   coordinator::server::Submission submission);

// The operation once it has ended, or as it is when `wait` is over or the server stops.
Awaitable<Result<coordinator::server::OperationView>> AwaitEnd(
    HandlerContext* context, coordinator::server::OperationView view,
    std::chrono::milliseconds wait);

bool IsEnded(const storage::records::Operation& operation);
Json RenderOperation(const coordinator::server::OperationView& view);  // Operation

// Of the parameter kWait; zero if it is absent.
std::chrono::milliseconds WaitOf(const Request& request);
// How long a wait goes on before it is seen whether the server stops.
inline constexpr std::chrono::milliseconds kWaitSlice{500};

inline constexpr Parameter kWait{
    "wait", In::kQuery,
    Text{8, "^(([0-9]|[1-5][0-9]|60)s|([0-9]{1,4}|[1-5][0-9]{4}|60000)ms)$",
         "a duration such as \"30s\" or \"1500ms\", at most 60s"},
    "Answer when the operation has ended, or after this time: \"30s\", \"1500ms\"; at most 60 s"};
inline constexpr Parameter kOperationId{"id", In::kPath,
                                        Text{19, "^op-[0-9a-f]{1,16}$", "the id of an operation"}};

}  // namespace emend::api::rest
