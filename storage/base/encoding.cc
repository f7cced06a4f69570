#include "storage/base/encoding.h"

#include <bit>
#include <limits>

namespace emend {
namespace {

template <typename T>
void AppendLittleEndian(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i)));
}

template <typename T>
T ReadLittleEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(bytes[i])) << (8 * i);
  return static_cast<T>(value);
}

}  // namespace

Encoder::Encoder(RecordType type, std::uint16_t version) {
  U16(static_cast<std::uint16_t>(type));
  U16(version);
}

void Encoder::U8(std::uint8_t value) { AppendLittleEndian(bytes_, value); }
void Encoder::U16(std::uint16_t value) { AppendLittleEndian(bytes_, value); }
void Encoder::U32(std::uint32_t value) { AppendLittleEndian(bytes_, value); }
void Encoder::U64(std::uint64_t value) { AppendLittleEndian(bytes_, value); }
void Encoder::F64(double value) { U64(std::bit_cast<std::uint64_t>(value)); }
void Encoder::Raw(std::string_view bytes) { bytes_.append(bytes); }

void Encoder::Text(std::string_view bytes) {
  Count(bytes.size());
  Raw(bytes);
}

void Encoder::Count(std::size_t count) {
  EMEND_CHECK(count <= std::numeric_limits<std::uint32_t>::max(),
              "a list or text of 2^32 or more was encoded");
  U32(static_cast<std::uint32_t>(count));
}

void Decoder::Fail(std::string what) {
  if (!status_.ok()) return;
  status_ = DataLoss("decoding stored bytes at offset " + std::to_string(offset_) + ": " + what);
  rest_ = {};
}

std::string_view Decoder::Take(std::size_t size) {
  if (!ok()) return {};
  if (rest_.size() < size) {
    Fail("found " + std::to_string(rest_.size()) + " bytes left, expected at least " +
         std::to_string(size));
    return {};
  }
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  offset_ += size;
  return taken;
}

std::uint8_t Decoder::U8() { return ReadLittleEndian<std::uint8_t>(Take(1)); }
std::uint16_t Decoder::U16() { return ReadLittleEndian<std::uint16_t>(Take(2)); }
std::uint32_t Decoder::U32() { return ReadLittleEndian<std::uint32_t>(Take(4)); }
std::uint64_t Decoder::U64() { return ReadLittleEndian<std::uint64_t>(Take(8)); }
double Decoder::F64() { return std::bit_cast<double>(U64()); }
std::string_view Decoder::Raw(std::size_t size) { return Take(size); }
std::string_view Decoder::TextView() { return Take(U32()); }
std::string Decoder::Text() { return std::string(TextView()); }

bool Decoder::Bool() {
  const std::uint8_t value = U8();
  if (value > 1) Fail("found " + std::to_string(value) + " for a flag, expected 0 or 1");
  return value == 1 && ok();
}

std::size_t Decoder::Count(std::size_t item_bytes_min) {
  const std::size_t count = U32();
  if (!ok()) return 0;
  if (item_bytes_min > 0 && count > rest_.size() / item_bytes_min) {
    Fail("found a list of " + std::to_string(count) + " items, but only " +
         std::to_string(rest_.size()) + " bytes are left");
    return 0;
  }
  return count;
}

std::uint16_t Decoder::Record(RecordType type, std::uint16_t newest) {
  const std::uint16_t found = U16();
  const std::uint16_t version = U16();
  if (!ok()) return 0;
  if (found != static_cast<std::uint16_t>(type)) {
    Fail("found a record of type " + std::to_string(found) + ", expected " +
         std::to_string(static_cast<int>(type)));
    return 0;
  }
  if (version == 0 || version > newest) {
    Fail("found version " + std::to_string(version) + " of record type " + std::to_string(found) +
         ", this build reads 1 to " + std::to_string(newest));
    return 0;
  }
  return version;
}

Status Decoder::Finish() const {
  if (!ok()) return status_;
  if (!rest_.empty())
    return DataLoss("decoding stored bytes: " + std::to_string(rest_.size()) +
                    " bytes are left over after the record");
  return OkStatus();
}

}  // namespace emend
