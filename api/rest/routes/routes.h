// The routes of each resource: a file of this folder each, and a row of routes.cc. Inside api/rest
// only.
#pragma once

#include <vector>

#include "api/rest/handler.h"

namespace emend::api::rest {

std::vector<Route> AskRoutes();
std::vector<Route> AuditRoutes();
std::vector<Route> CommitRoutes();
std::vector<Route> CompletionRoutes();
std::vector<Route> DiagnosisRoutes();
std::vector<Route> DiffRoutes();
std::vector<Route> EvaluationRoutes();
std::vector<Route> ExportRoutes();
std::vector<Route> FsckRoutes();
std::vector<Route> OperationRoutes();
std::vector<Route> RefRoutes();
std::vector<Route> RepoRoutes();
std::vector<Route> RevertRoutes();
std::vector<Route> ServerRoutes();
std::vector<Route> StatisticsRoutes();
std::vector<Route> TokenRoutes();
std::vector<Route> VerificationRoutes();
std::vector<Route> WorkerRoutes();

}  // namespace emend::api::rest
