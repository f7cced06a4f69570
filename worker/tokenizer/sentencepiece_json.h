// What a tokenizer.json would say beside normalizer and model, for a SentencePiece model: its added
// tokens, decoder and post-processor. Thread-safe.
#pragma once

#include "storage/base/status.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/sentencepiece_file.h"

namespace emend::worker::tokenizer {

// `config`: the model's tokenizer_config.json, of which add_bos_token (without it: true where there
// is such a piece), add_eos_token (false) and added_tokens_decoder are read. `added`: its
// added_tokens.json, {text: id}. Either may be null. kInvalidArgument, slug "bad_tokenizer".
Result<Json> SentencePieceJson(const SentencePieceFile& file, const Node& config,
                               const Node& added);

}  // namespace emend::worker::tokenizer
