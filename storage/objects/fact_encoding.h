// Facts inside other records: kFact v1, so that a fact's format can move on its own. Inside
// storage/objects only.
#pragma once

#include "storage/base/encoding.h"
#include "storage/objects/fact.h"

namespace emend::storage::objects {

inline constexpr std::size_t kFactBytesMin = 43;  // every text and list empty

void EncodeFact(Encoder& out, const Fact& fact);
// Failures stick to the decoder.
Fact DecodeFact(Decoder& in);

}  // namespace emend::storage::objects
