// The normalizers that rewrite or drop single characters: Lowercase, Nmt, Strip, StripAccents, and
// Precompiled, SentencePiece's rules. Thread-safety: const methods are safe from many threads.
#pragma once

#include "worker/tokenizer/normalizer.h"

namespace emend::worker::tokenizer {

Result<NormalizerPointer> MakeLowercase(const Node& node);
Result<NormalizerPointer> MakeNmt(const Node& node);
Result<NormalizerPointer> MakePrecompiled(const Node& node);
Result<NormalizerPointer> MakeStrip(const Node& node);
Result<NormalizerPointer> MakeStripAccents(const Node& node);

}  // namespace emend::worker::tokenizer
