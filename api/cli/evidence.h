// What a commit or an evaluation says beside its scores, as lines for people. Inside this folder
// only.
#pragma once

#include <string>

#include "api/cli/session.h"

namespace emend::api::cli {

// What was taken, kept and said before; "" of a result without any of it.
std::string RenderEvidence(const Json& result);
// What was answered to general questions, and to the facts' own prompts in chat, before and after;
// "" where none was asked.
std::string RenderAnswers(const Json& result);
// Whether more than a fifth of the branch's earlier facts, as far as they were asked, are not said
// any more: what a refit is for.
bool HasFadedFacts(const Json& result);
// The facts that the model does not say, and what to try; "" if it says all.
std::string RenderNotTaken(const Json& result);
// Layers whose update is large beside their weight, or with frozen experts; "" if there is none.
std::string RenderLayers(const Json& result);
// Of one layer's `count` and `frozen`; "" if none is.
std::string RenderFrozenExperts(long layer, const Json& experts);
// What was not measured for want of prompts; "" if nothing.
std::string RenderUnmeasured(const Json& scores, const Json& result);

}  // namespace emend::api::cli
