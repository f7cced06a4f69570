// What every decoder of this folder ends with. Inside storage/objects only.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "storage/base/archive.h"

namespace emend::storage::objects {

// The value, if the decoder is at its end without a failure and `encode(value)` gives back exactly
// the bytes that were read: whatever could be written in two ways (an unsorted map, a negative
// zero) is refused here, so that one value has one id.
template <typename T, typename Encode>
Result<T> FinishCanonical(const Decoder& in, T value, std::string_view stored, const char* what,
                          const Encode& encode) {
  if (const Status status = in.Finish(); !status.ok())
    return status.WithContext(std::string("decoding a ") + what);
  if (encode(value) != stored) {
    return DataLoss(
        std::string("decoding a ") + what +
        ": the bytes are not its canonical encoding (docs/reference/formats-objects.md)");
  }
  return value;
}

// A record that is nothing but its head and fields.
template <typename T, typename Encode>
Result<T> DecodeCanonical(std::string_view stored, const char* what, const Encode& encode) {
  Decoder in(stored);
  T value;
  ReadFields(in, value);
  return FinishCanonical(in, std::move(value), stored, what, encode);
}

}  // namespace emend::storage::objects
