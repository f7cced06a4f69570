// What the documents of the API have in common. Inside this folder only; pure functions.
//
// What a resource looks like stands beside its routes (schemas of the same names in
// api/openapi/emend.yaml).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "api/rest/message.h"
#include "storage/base/time_text.h"
#include "storage/history/repository.h"
#include "storage/objects/fact.h"

namespace emend::api::rest {

using Json = nlohmann::ordered_json;

// Text that is no UTF-8 is shown with replacement characters: rendering never fails.
Response JsonResponse(int status, const Json& json);
// A list (page.h). `next`: the cursor of the page after this one, or null.
Response PageResponse(Json items, Json next);

// Commit: the summary that a log shows
Json RenderCommit(const storage::history::NumberedCommit& numbered);
Json RenderFact(const storage::objects::Fact& fact);                                    // Fact
Json RenderSettings(const std::vector<std::pair<std::string, std::string>>& settings);  // Settings

}  // namespace emend::api::rest
