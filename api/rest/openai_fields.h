// What requests and answers in OpenAI's shapes have in common, for openai*.cc alone.
#pragma once

#include <string>

#include "api/rest/fields.h"
#include "api/rest/openai.h"

namespace emend::api::rest {

inline constexpr std::int64_t kTokensMax = 65'536;  // of one text

// All but what is gone on from, how long it becomes and what is told of its tokens. REQUIRES: the
// prompts are read.
void ReadCommonFields(Fields& fields, CompletionBody& completion);

// The bytes of a token as a name: "bytes:\\xe4".
std::string BytesNameOf(const std::string& token);
// Its text, or its bytes where they are no text.
std::string NameOf(const std::string& token);

}  // namespace emend::api::rest
