// A proposal as people judge it: what changes in the model's words, what was measured, what others
// said, what is missing. Inside this folder only.
#pragma once

#include <cstdint>
#include <string>

#include "api/cli/session.h"

namespace emend::api::cli {

std::string ProposalPath(const std::string& repo, std::uint64_t number,
                         const std::string& rest = "");
// `detail` as the server gives it (ProposalDetail).
void ShowProposal(const Session& session, const Json& detail);
// Of it what others said and what is missing.
void ShowVerdicts(const Session& session, const Json& detail);
// "2 approvals are missing", or that it can be merged, with the command that does it next.
void HintAtNextStep(Session& session, const std::string& repo, const Json& detail);

}  // namespace emend::api::cli
