// The normalizers NFC, NFD, NFKC and NFKD. Thread-safety: const methods are safe from many threads.
#pragma once

#include <memory>

#include "worker/tokenizer/normalizer.h"

namespace emend::worker::tokenizer {

Result<NormalizerPointer> MakeNfc(const Node& node);
Result<NormalizerPointer> MakeNfd(const Node& node);
Result<NormalizerPointer> MakeNfkc(const Node& node);
Result<NormalizerPointer> MakeNfkd(const Node& node);

}  // namespace emend::worker::tokenizer
