#include <algorithm>
#include <string>

#include "storage/base/log.h"
#include "storage/base/utf8.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::tokenizer {

Result<PromptWithTarget> EncodePromptWithTarget(const Tokenizer& tokenizer, std::string_view prompt,
                                                std::string_view target,
                                                SpecialTokens special_tokens) {
  const std::string joint = std::string(prompt) + std::string(target);
  EMEND_ASSIGN_OR_RETURN(const std::vector<Token> tokens, tokenizer.Encode(joint, special_tokens));
  PromptWithTarget result;
  for (const Token& token : tokens) {
    if (token.begin < prompt.size() && token.end > prompt.size()) {
      return Status(
          StatusCode::kInvalidArgument, "token_straddles_target",
          "the token " + JsonQuote(tokenizer.TokenText(token.id)) +
              " holds the end of the prompt " + JsonQuote(Shortened(prompt)) +
              " and the start of the target " + JsonQuote(Shortened(target)) +
              "; end the prompt where the tokenizer ends a token: most often without the space");
    }
    if (token.end <= prompt.size()) ++result.prompt_tokens;
    result.ids.push_back(token.id);
  }
  if (result.prompt_tokens == result.ids.size()) {
    return Status(StatusCode::kInvalidArgument, "empty_target",
                  "the target " + JsonQuote(Shortened(target)) + " after the prompt " +
                      JsonQuote(Shortened(prompt)) + " has no token");
  }
  return result;
}

Result<std::size_t> LastSubjectToken(const std::vector<Token>& tokens, std::size_t subject_end) {
  const auto found = std::find_if(tokens.rbegin(), tokens.rend(), [&](const Token& token) {
    return token.begin < subject_end && token.begin < token.end;
  });
  if (found == tokens.rend()) {
    return InvalidArgument("looking for the last token that begins before byte " +
                           std::to_string(subject_end) + ": none of " +
                           std::to_string(tokens.size()) + " tokens does");
  }
  return static_cast<std::size_t>(tokens.rend() - found) - 1;
}

}  // namespace emend::worker::tokenizer
