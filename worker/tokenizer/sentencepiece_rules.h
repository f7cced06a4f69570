// The normalizer of a SentencePiece model: rewrites characters by its charsmap, writes spaces as
// its pieces do, and takes away those that are too many. Thread-safety: const methods are safe from
// many threads.
#pragma once

#include "storage/base/status.h"
#include "worker/tokenizer/normalizer.h"
#include "worker/tokenizer/prefix_table.h"
#include "worker/tokenizer/sentencepiece_file.h"

namespace emend::worker::tokenizer {

// The texts of the pieces that users define, by id: they stay as they are.
PrefixTable UserDefinedPieces(const SentencePieceFile& file);

// kInvalidArgument, slug "bad_tokenizer", for a charsmap that is none.
Result<NormalizerPointer> MakeSentencePieceRules(const SentencePieceFile& file);

}  // namespace emend::worker::tokenizer
