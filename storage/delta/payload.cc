#include "storage/delta/payload.h"

#include <bit>

#include "storage/base/encoding.h"

namespace emend::storage::delta {
namespace {

constexpr std::uint16_t kPayloadVersion = 1;
constexpr std::uint16_t kCodecVersion = 1;
constexpr std::uint16_t kCipherNone = 0;
constexpr std::uint8_t kStoredShiftMax = 62;

std::string Wrap(Codec codec, const std::string& body) {
  Encoder out(RecordType::kPayload, kPayloadVersion);
  out.U16(static_cast<std::uint16_t>(codec));
  out.U16(kCodecVersion);
  out.U16(kCipherNone);
  out.Text("");  // key id
  out.Text("");  // nonce
  out.U64(body.size());
  out.U32(Crc32c(body));
  out.Raw(body);
  return std::move(out).bytes();
}

// The body, once the header has held against it. Each field has one value that this build can read,
// so a damaged header is found like a damaged body.
Result<std::string_view> Unwrap(Codec codec, std::string_view stored) {
  Decoder in(stored);
  in.Record(RecordType::kPayload, kPayloadVersion);
  if (const std::uint16_t found = in.U16(); in.ok() && found != static_cast<std::uint16_t>(codec)) {
    in.Fail("found codec " + std::to_string(found) + ", expected " +
            std::to_string(static_cast<int>(codec)));
  }
  if (const std::uint16_t found = in.U16(); in.ok() && found != kCodecVersion) {
    in.Fail("found codec version " + std::to_string(found) + ", this build reads " +
            std::to_string(kCodecVersion));
  }
  if (const std::uint16_t found = in.U16(); in.ok() && found != kCipherNone) {
    in.Fail("found cipher " + std::to_string(found) +
            ", this build reads unencrypted payloads (0) alone");
  }
  if (!in.TextView().empty()) in.Fail("found a key id in an unencrypted payload");
  if (!in.TextView().empty()) in.Fail("found a nonce in an unencrypted payload");
  const std::uint64_t size = in.U64();
  const std::uint32_t crc = in.U32();
  if (in.ok() && size != in.remaining()) {
    in.Fail("the header gives a body of " + std::to_string(size) + " bytes, found " +
            std::to_string(in.remaining()));
  }
  const std::string_view body = in.Raw(in.remaining());
  if (in.ok() && Crc32c(body) != crc)
    in.Fail("the body's CRC-32C differs from the header's: the payload is damaged");
  EMEND_RETURN_IF_ERROR(in.Finish().WithContext("reading a payload"));
  return body;
}

void PutFactor(const std::vector<std::int16_t>& factor, Encoder& out) {
  for (const std::int16_t value : factor) out.U16(static_cast<std::uint16_t>(value));
}

std::vector<std::int16_t> GetFactor(std::uint64_t size, Decoder& in) {
  const std::string_view raw = in.Raw(size * sizeof(std::int16_t));
  std::vector<std::int16_t> factor(raw.size() / sizeof(std::int16_t));
  for (std::size_t i = 0; i < factor.size(); ++i) {
    const auto low = static_cast<std::uint8_t>(raw[2 * i]);
    const auto high = static_cast<std::uint8_t>(raw[2 * i + 1]);
    factor[i] = static_cast<std::int16_t>(static_cast<std::uint16_t>(low | (high << 8)));
  }
  return factor;
}

void PutFloats(const std::vector<float>& values, Encoder& out) {
  out.Count(values.size());
  for (const float value : values) out.U32(std::bit_cast<std::uint32_t>(value));
}

std::vector<float> GetFloats(Decoder& in) {
  std::vector<float> values(in.Count(sizeof(float)));
  for (float& value : values) value = std::bit_cast<float>(in.U32());
  return values;
}

TensorDelta GetTensor(Decoder& in) {
  TensorDelta tensor;
  tensor.tensor = in.Text();
  tensor.rows = in.U64();
  tensor.cols = in.U64();
  const std::uint64_t factor_max = in.remaining() / sizeof(std::int16_t);
  const std::size_t count = in.Count(1);
  if (count > 0 && (tensor.rows > factor_max || tensor.cols > factor_max)) {
    in.Fail("found columns of " + std::to_string(tensor.rows) + " x " +
            std::to_string(tensor.cols) + " for tensor \"" + tensor.tensor +
            "\", more than the bytes that are left can hold");
  }
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    Column column;
    column.shift = in.U8();
    if (column.shift > kStoredShiftMax)
      in.Fail("found a shift of " + std::to_string(column.shift) + ", expected at most 62");
    column.a = GetFactor(tensor.rows, in);
    column.b = GetFactor(tensor.cols, in);
    tensor.columns.push_back(std::move(column));
  }
  return tensor;
}

// Names in strictly rising order: one encoding of a value.
void CheckOrder(std::string_view previous, std::string_view next, bool first, Decoder& in) {
  if (first || !in.ok() || previous < next) return;
  in.Fail("tensor \"" + std::string(next) + "\" follows \"" + std::string(previous) +
          "\", expected rising names");
}

}  // namespace

std::string EncodePayload(const EditDelta& delta) {
  Encoder out;
  out.Count(delta.tensors.size());
  const std::string* previous = nullptr;
  for (const TensorDelta& tensor : delta.tensors) {
    EMEND_CHECK(previous == nullptr || *previous < tensor.tensor,
                "the tensors of an edit are not sorted: " + tensor.tensor);
    previous = &tensor.tensor;
    out.Text(tensor.tensor);
    out.U64(tensor.rows);
    out.U64(tensor.cols);
    out.Count(tensor.columns.size());
    for (const Column& column : tensor.columns) {
      EMEND_CHECK(column.a.size() == tensor.rows && column.b.size() == tensor.cols,
                  "a column does not have the size of tensor " + tensor.tensor);
      EMEND_CHECK(column.shift <= kStoredShiftMax, "a column's shift is beyond 62");
      out.U8(column.shift);
      PutFactor(column.a, out);
      PutFactor(column.b, out);
    }
  }
  return Wrap(Codec::kInt16Shift, out.bytes());
}

std::string EncodePayload(const std::vector<EditKey>& keys) {
  Encoder out;
  out.Count(keys.size());
  const std::string* previous = nullptr;
  for (const EditKey& key : keys) {
    EMEND_CHECK(previous == nullptr || *previous < key.tensor,
                "the keys of an edit are not sorted: " + key.tensor);
    previous = &key.tensor;
    out.Text(key.tensor);
    PutFloats(key.values, out);
  }
  return Wrap(Codec::kKeys, out.bytes());
}

std::string EncodePayload(const EditTarget& target) {
  Encoder out;
  out.U32(static_cast<std::uint32_t>(target.layer.value()));
  PutFloats(target.values, out);
  return Wrap(Codec::kTarget, out.bytes());
}

Result<EditDelta> DecodeEditDelta(std::string_view stored) {
  EMEND_ASSIGN_OR_RETURN(const std::string_view body, Unwrap(Codec::kInt16Shift, stored));
  constexpr std::size_t kTensorBytesMin = 24;
  Decoder in(body);
  EditDelta delta;
  const std::size_t count = in.Count(kTensorBytesMin);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    TensorDelta tensor = GetTensor(in);
    CheckOrder(i == 0 ? "" : delta.tensors.back().tensor, tensor.tensor, i == 0, in);
    delta.tensors.push_back(std::move(tensor));
  }
  EMEND_RETURN_IF_ERROR(in.Finish().WithContext("reading an edit's columns"));
  return delta;
}

Result<std::vector<EditKey>> DecodeEditKeys(std::string_view stored) {
  EMEND_ASSIGN_OR_RETURN(const std::string_view body, Unwrap(Codec::kKeys, stored));
  constexpr std::size_t kKeyBytesMin = 8;
  Decoder in(body);
  std::vector<EditKey> keys;
  const std::size_t count = in.Count(kKeyBytesMin);
  for (std::size_t i = 0; i < count && in.ok(); ++i) {
    EditKey key;
    key.tensor = in.Text();
    key.values = GetFloats(in);
    CheckOrder(i == 0 ? "" : keys.back().tensor, key.tensor, i == 0, in);
    keys.push_back(std::move(key));
  }
  EMEND_RETURN_IF_ERROR(in.Finish().WithContext("reading an edit's keys"));
  return keys;
}

Result<EditTarget> DecodeEditTarget(std::string_view stored) {
  EMEND_ASSIGN_OR_RETURN(const std::string_view body, Unwrap(Codec::kTarget, stored));
  Decoder in(body);
  EditTarget target;
  target.layer = LayerIndex(static_cast<std::int32_t>(in.U32()));
  target.values = GetFloats(in);
  EMEND_RETURN_IF_ERROR(in.Finish().WithContext("reading an edit's target"));
  return target;
}

}  // namespace emend::storage::delta
