// What a model is to go on from, as token ids: a text, or a conversation as the base's own chat
// template puts it.
#pragma once

#include <string>
#include <vector>

#include "worker/server/live_base.h"

namespace emend::worker::server {

// Errors as Tokenizer::Encode.
Result<std::vector<tokenizer::TokenId>> EncodePrompt(const LiveBase& base, const std::string& text,
                                                     tokenizer::SpecialTokens special);

// Up to where the assistant begins; no token is added to those that the template writes. `now` is
// what a template is told that writes a date. kFailedPrecondition ("no_chat_template") for a base
// that has none, or one that cannot be used; else as ChatTemplate::Render and EncodePrompt.
Result<std::vector<tokenizer::TokenId>> EncodeConversation(
    const LiveBase& base, const std::vector<chat::Message>& messages, WallTime now);

}  // namespace emend::worker::server
