// The stored form of an edit's columns, of its keys and of its target: a self-describing header,
// then the body.
//
// Header (docs/reference/formats.md): record kPayload v1, codec, codec version, cipher, key id,
// nonce, length and CRC-32C of the body. Cipher 0 is "none"; the other fields are there so that
// encryption changes no format and no id.
//
// Both directions copy; nothing is borrowed. Malformed bytes are kDataLoss and never crash or
// allocate beyond the input's size by more than a constant factor.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "storage/delta/column.h"

namespace emend::storage::delta {

// Stored: never renumber.
enum class Codec : std::uint16_t {
  kInt16Shift = 1,  // columns as int16 factors and a shift
  kFp16 = 2,        // reserved: imported adapters
  kDense = 3,       // reserved: int64 grid differences, zstd
  kPack = 4,        // reserved: snapshots of a ledger
  kKeys = 16,       // keys of an edit per layer, fp32
  kTarget = 17,     // target of an edit, fp32
};

// One edit's change: at most one TensorDelta a tensor, sorted by tensor name.
struct EditDelta {
  std::vector<TensorDelta> tensors;
  friend bool operator==(const EditDelta&, const EditDelta&) = default;
};

// The key of an edit at one edited tensor: the mean input of its down projection at the lookup
// token, fp32 [d_ff].
struct EditKey {
  std::string tensor;
  std::vector<float> values;
  friend bool operator==(const EditKey&, const EditKey&) = default;
};

// What the last edited layer was to put out at the edit's lookup token, fp32 [d]: with it a batch
// is solved again without optimising anything.
struct EditTarget {
  LayerIndex layer;
  std::vector<float> values;
  friend bool operator==(const EditTarget&, const EditTarget&) = default;
};

std::string EncodePayload(const EditDelta& delta);
std::string EncodePayload(const std::vector<EditKey>& keys);
std::string EncodePayload(const EditTarget& target);
Result<EditDelta> DecodeEditDelta(std::string_view stored);
Result<std::vector<EditKey>> DecodeEditKeys(std::string_view stored);
Result<EditTarget> DecodeEditTarget(std::string_view stored);

}  // namespace emend::storage::delta
