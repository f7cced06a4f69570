#include "worker/tokenizer/protobuf_reader.h"

#include <bit>
#include <string>

#include "worker/tokenizer/json_node.h"

namespace emend::worker::tokenizer {
namespace {

constexpr std::size_t kVarintBytesMax = 10;

// The wire types; 3 and 4, the groups, went out of use before SentencePiece was written.
enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

std::uint64_t LittleEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i)
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  return value;
}

}  // namespace

Result<std::uint64_t> ProtobufField::Number() const {
  if (kind != Kind::kNumber)
    return BadTokenizer("the field " + std::to_string(number) + ": expected a number, found bytes");
  return value;
}

Result<bool> ProtobufField::Flag() const {
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t flag, Number());
  return flag != 0;
}

Result<float> ProtobufField::Float() const {
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t bits, Number());
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
}

Result<std::string_view> ProtobufField::Bytes() const {
  if (kind != Kind::kBytes)
    return BadTokenizer("the field " + std::to_string(number) + ": expected bytes, found a number");
  return bytes;
}

Result<std::optional<ProtobufField>> ProtobufReader::Next() {
  if (at_ == bytes_.size()) return std::optional<ProtobufField>();
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t key, Varint());
  ProtobufField field;
  field.number = key >> 3;
  if (field.number == 0) return Broken("a field without a number");
  switch (key & 7) {
    case kVarint: {
      EMEND_ASSIGN_OR_RETURN(field.value, Varint());
      break;
    }
    case kFixed64:
    case kFixed32: {
      EMEND_ASSIGN_OR_RETURN(const std::string_view fixed, Take((key & 7) == kFixed64 ? 8 : 4));
      field.value = LittleEndian(fixed);
      break;
    }
    case kLength: {
      EMEND_ASSIGN_OR_RETURN(const std::uint64_t length, Varint());
      field.kind = ProtobufField::Kind::kBytes;
      EMEND_ASSIGN_OR_RETURN(field.bytes, Take(length));
      break;
    }
    default: return Broken("a field of an unknown kind");
  }
  return std::optional(field);
}

Result<std::uint64_t> ProtobufReader::Varint() {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kVarintBytesMax; ++i) {
    EMEND_ASSIGN_OR_RETURN(const std::string_view byte, Take(1));
    const auto bits = static_cast<unsigned char>(byte.front());
    value |= static_cast<std::uint64_t>(bits & 0x7f) << (7 * i);
    if (bits < 0x80) return value;
  }
  return Broken("a number that does not end");
}

Result<std::string_view> ProtobufReader::Take(std::uint64_t count) {
  if (count > bytes_.size() - at_) return Broken("a field that is longer than the rest");
  const std::string_view taken = bytes_.substr(at_, static_cast<std::size_t>(count));
  at_ += taken.size();
  return taken;
}

Status ProtobufReader::Broken(std::string_view what) const {
  return BadTokenizer("is not protobuf: " + std::string(what) + ", near byte " +
                      std::to_string(at_) + " of " + std::to_string(bytes_.size()));
}

}  // namespace emend::worker::tokenizer
