// The shapes of OpenAI's API that texts are asked for in: requests read strictly, answers written.
//
// What emend has no use for is refused when it would change the answer (`suffix`, `tools`,
// penalties, `logit_bias`), and taken when it would not (`user`). Failures of /v1 routes are
// {"error": {"message", "type", "param", "code"}}, `code` being the slug (problem.h). What differs
// between texts and conversations is a CompletionShape, each in a file of its own (openai_text.cc,
// openai_chat.cc); completing.h answers with it. Pure functions.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
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

// One text of a completion as it grows.
struct CompletionChoice {
  std::string text;
  std::vector<worker::protocol::PieceToken> tokens;
  std::optional<worker::protocol::CompleteReply> end;
};

// What of a choice's text is said at once: all of it, its first piece or a later one.
enum class Part { kWhole, kFirst, kLater };

struct CompletionShape {
  std::string_view path;          // of its route
  std::string_view id_prefix;     // "cmpl-"
  std::string_view object;        // of a whole answer
  std::string_view chunk_object;  // of a chunk of a stream
  std::string_view prompt_field;  // what is at fault where a worker refuses what it is asked
  // kInvalidArgument with the field's JSON pointer.
  Result<CompletionBody> (*read)(const nlohmann::json& body);
  // The field of a choice that holds its text.
  nlohmann::ordered_json (*said)(const std::string& text, Part part);
  nlohmann::ordered_json (*logprobs)(const std::vector<worker::protocol::PieceToken>& tokens);
};
extern const CompletionShape kTextShape;
extern const CompletionShape kChatShape;

// What every object of one completion begins with.
struct CompletionHead {
  std::string id;
  std::int64_t created_seconds = 0;
  std::string model;
  std::string commit;
};

// `with_logprobs`: the request asked for them. `per_prompt`: texts of each prompt, whose tokens
// count once.
nlohmann::ordered_json RenderCompletion(const CompletionShape& shape, const CompletionHead& head,
                                        const std::vector<CompletionChoice>& choices,
                                        std::size_t per_prompt, bool with_logprobs);
// A chunk of a stream has one choice, and of its text a piece.
struct ChunkOptions {
  Part part = Part::kLater;
  bool with_logprobs = false;
  bool with_usage = false;  // it comes in a chunk of its own, and is null in the others
};
nlohmann::ordered_json RenderChunk(const CompletionShape& shape, const CompletionHead& head,
                                   const coordinator::answers::CompletionPiece& piece,
                                   const ChunkOptions& options);
nlohmann::ordered_json RenderUsageChunk(const CompletionShape& shape, const CompletionHead& head,
                                        std::uint64_t prompt_tokens,
                                        std::uint64_t completion_tokens);

}  // namespace emend::api::rest
