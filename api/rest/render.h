// Records of the service as JSON documents of the API (schemas of the same names in
// api/openapi/emend.yaml). Inside this folder only; pure functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "api/rest/message.h"
#include "coordinator/server/service.h"

namespace emend::api::rest {

using Json = nlohmann::ordered_json;

// RFC 3339, UTC, milliseconds: "2026-01-31T12:00:00.000Z".
std::string RenderTime(std::int64_t unix_ms);
// Text that is no UTF-8 is shown with replacement characters: rendering never fails.
Response JsonResponse(int status, const Json& json);

// Commit: the summary that a log shows
Json RenderCommit(const storage::history::NumberedCommit& commit);
Json RenderShownCommit(const coordinator::server::ShownCommit& shown);   // CommitDetail
Json RenderDiff(const coordinator::server::DiffReport& report);          // Diff
Json RenderRef(const storage::history::Ref& ref);                        // Ref
Json RenderReflogEntry(const storage::history::ReflogEntry& entry);      // ReflogEntry
Json RenderOperation(const coordinator::server::OperationView& view);    // Operation
Json RenderAuditEntry(const storage::records::AuditEntry& entry);        // AuditEntry
Json RenderWorker(const coordinator::membership::WorkerInfo& worker);    // Worker
Json RenderStatistics(const coordinator::server::StatisticsInfo& info);  // Statistics
Json RenderAnswer(const coordinator::server::AskAnswer& answer);         // Answer
bool IsEnded(const storage::records::Operation& operation);

}  // namespace emend::api::rest
