// Byte-pair merging: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword
// Units", applied by rank as the released GPT-2 code does: the pair with the lowest rank merges
// first, of equal ranks the leftmost. Thread-safe.
#pragma once

#include <vector>

#include "worker/tokenizer/merge_table.h"
#include "worker/tokenizer/word_cache.h"

namespace emend::worker::tokenizer {

// Merges neighbours in place until no pair has a merge. O(n log n); short words take a plain O(n²)
// loop, which is faster for them.
void MergeSymbols(const MergeTable& merges, std::vector<Symbol>* symbols);

}  // namespace emend::worker::tokenizer
