// The tokenizer of a GGUF file as Hugging Face's files: what its metadata says of tokens, merges or
// scores, special tokens and the chat template.
//
//   EMEND_ASSIGN_OR_RETURN(const GgufTokenizer files, ConvertTokenizer(file));
//
// "gpt2" (byte-level BPE; the splits of a text follow from the name of its pre-tokenizer) and
// "llama" (SentencePiece BPE; merges follow from the scores) are known. A pure function.
#pragma once

#include <string>

#include "storage/base/status.h"
#include "storage/checkpoint/gguf.h"

namespace emend::coordinator::core {

struct GgufTokenizer {
  std::string tokenizer;          // tokenizer.json
  std::string tokenizer_config;   // tokenizer_config.json
  std::string generation_config;  // generation_config.json; empty: no end of a text is known
};

// kUnsupported ("unknown_tokenizer", by the name of the model or pre-tokenizer), kInvalidArgument
// ("gguf_bad_value", by key).
Result<GgufTokenizer> ConvertTokenizer(const storage::checkpoint::GgufFile& file);

}  // namespace emend::coordinator::core
