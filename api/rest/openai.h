// The shapes of OpenAI's completions API: requests read strictly, responses written.
//
// What emend has no use for is refused when it would change the answer (`suffix`, `best_of`,
// penalties, `logit_bias`), and taken when it would not (`user`). Failures of /v1 routes are
// {"error": {"message", "type", "param", "code"}}, `code` being the slug (problem.h). Pure
// functions.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "coordinator/answers/answer_service.h"

namespace emend::api::rest {

inline constexpr std::size_t kTextsPerRequestMax = 64;  // prompts times n

struct CompletionBody {
  coordinator::answers::CompletionRequest request;
  std::string model;  // as sent: "repo" or "repo@revision"
  bool stream = false;
  bool include_usage = false;  // stream_options
  bool has_seed = false;
};

// kInvalidArgument with the field's JSON pointer.
Result<CompletionBody> ReadCompletionBody(const nlohmann::json& body);

// One text of a completion as it grows.
struct CompletionChoice {
  std::string text;
  std::vector<worker::protocol::PieceToken> tokens;
  std::optional<worker::protocol::CompleteReply> end;
};

// What every object of one completion begins with.
struct CompletionHead {
  std::string id;
  std::int64_t created_seconds = 0;
  std::string model;
  std::string commit;
};

// `with_logprobs`: the request asked for them. `per_prompt`: texts of each prompt, whose tokens
// count once.
nlohmann::ordered_json RenderCompletion(const CompletionHead& head,
                                        const std::vector<CompletionChoice>& choices,
                                        std::size_t per_prompt, bool with_logprobs);
// A chunk of a stream is the same object with one choice.
struct ChunkOptions {
  bool with_logprobs = false;
  bool with_usage = false;  // it comes in a chunk of its own, and is null in the others
};
nlohmann::ordered_json RenderChunk(const CompletionHead& head,
                                   const coordinator::answers::CompletionPiece& piece,
                                   const ChunkOptions& options);
nlohmann::ordered_json RenderUsageChunk(const CompletionHead& head, std::uint64_t prompt_tokens,
                                        std::uint64_t completion_tokens);

}  // namespace emend::api::rest
