#include "storage/checkpoint/gguf_parser.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

#include "storage/base/log.h"
#include "storage/base/utf8.h"

namespace emend::storage::checkpoint {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr char kAlignmentKey[] = "general.alignment";
constexpr std::int64_t kAlignmentDefault = 32;
constexpr std::int64_t kAlignmentMax = 1 << 20;
constexpr std::size_t kNameBytesMax = 65535;
constexpr std::uint64_t kArrayMax = 1 << 24;
constexpr std::uint64_t kDimensionsMax = 4;

// Kinds of values, as files number them.
constexpr std::uint64_t kTextType = 8;
constexpr std::uint64_t kArrayType = 9;
enum class Kind { kUnsigned, kSigned, kFloat, kFlag, kText, kArray };
struct ValueType {
  Kind kind;
  std::size_t bytes;  // the least, of texts and arrays
};
constexpr auto kValueTypes = std::to_array<ValueType>({{Kind::kUnsigned, 1},
                                                       {Kind::kSigned, 1},
                                                       {Kind::kUnsigned, 2},
                                                       {Kind::kSigned, 2},
                                                       {Kind::kUnsigned, 4},
                                                       {Kind::kSigned, 4},
                                                       {Kind::kFloat, 4},
                                                       {Kind::kFlag, 1},
                                                       {Kind::kText, 8},
                                                       {Kind::kArray, 12},
                                                       {Kind::kUnsigned, 8},
                                                       {Kind::kSigned, 8},
                                                       {Kind::kFloat, 8}});

// The least that a key with its value, and a tensor's entry, take.
constexpr std::uint64_t kPairBytesMin = 8 + 4 + 1;
constexpr std::uint64_t kEntryBytesMin = 8 + 4 + 8 + 4 + 8;

GgufValue Scalar(const ValueType& type, std::uint64_t bits) {
  if (type.kind == Kind::kFlag) return bits != 0;
  if (type.kind == Kind::kFloat && type.bytes == 4)
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  if (type.kind == Kind::kFloat) return std::bit_cast<double>(bits);
  if (type.kind == Kind::kSigned) {
    const auto shift = 64 - 8 * type.bytes;
    return static_cast<std::int64_t>(bits << shift) >> shift;
  }
  constexpr auto kSignedMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (bits > kSignedMax) return static_cast<double>(bits);
  return static_cast<std::int64_t>(bits);
}

double AsNumber(const GgufValue& value) {
  if (const auto* const integer = std::get_if<std::int64_t>(&value))
    return static_cast<double>(*integer);
  if (const auto* const flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  return std::get<double>(value);
}

}  // namespace

Status GgufParser::Refuse(const char* slug, const std::string& what) const {
  return {StatusCode::kInvalidArgument, std::string("gguf_") + slug,
          "reading the GGUF file \"" + name_ + "\": " + what};
}

Status GgufParser::RefuseAsUnsupported(const char* slug, const std::string& what) const {
  return {StatusCode::kUnsupported, slug, "reading the GGUF file \"" + name_ + "\": " + what};
}

Status GgufParser::IsPart(const std::string& name) {
  return {StatusCode::kUnsupported, "gguf_part",
          "reading the GGUF file \"" + name +
              "\": found one part of a model that is split over several files, expected a whole "
              "one; join them first (llama-gguf-split --merge)"};
}

Result<std::uint64_t> GgufParser::Number(std::size_t size, const std::string& what) {
  if (left() < size) {
    return Refuse("too_short", what + " at byte " + std::to_string(at_) + ": found " +
                                   std::to_string(left()) + " bytes to the end, expected " +
                                   std::to_string(size) + "; the file may be cut short");
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{file_[at_ + i]} << (8 * i);
  at_ += size;
  return value;
}

Result<std::uint64_t> GgufParser::Count(std::uint64_t bytes_each, const std::string& what) {
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t count, Number(8, "the number of " + what));
  if (count <= left() / bytes_each) return count;
  return Refuse("bad_count", "found " + std::to_string(count) + " " + what +
                                 ", expected at most the " + std::to_string(left() / bytes_each) +
                                 " that the file has room for; it may be cut short");
}

Result<std::string_view> GgufParser::Text(const std::string& what) {
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t size, Count(1, "bytes of " + what));
  const std::string_view text(reinterpret_cast<const char*>(file_.data()) + at_, size);
  at_ += size;
  return text;
}

Result<std::string> GgufParser::Name(const std::string& what) {
  EMEND_ASSIGN_OR_RETURN(const std::string_view text, Text(what));
  if (!text.empty() && text.size() <= kNameBytesMax && !FirstInvalidUtf8(text))
    return std::string(text);
  return Refuse("bad_text", what + ": found " + std::to_string(text.size()) + " bytes, " +
                                JsonQuote(Shortened(text)) + ", expected UTF-8 of 1 to " +
                                std::to_string(kNameBytesMax) + " bytes");
}

Status GgufParser::ReadVersion() {
  if (file_.size() < kMagic.size() || !std::ranges::equal(kMagic, file_.first(kMagic.size())))
    return Refuse("magic", "it does not begin with \"GGUF\": it is no GGUF file");
  at_ = kMagic.size();
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t version, Number(4, "the version"));
  if (version == 2 || version == 3) return OkStatus();
  if ((version & 0xFFFF) == 0 && version != 0) {
    return RefuseAsUnsupported(
        "gguf_big_endian",
        "found a file for big-endian machines, expected a little-endian one; convert it anew");
  }
  return RefuseAsUnsupported("gguf_version", "found version " + std::to_string(version) +
                                                 ", expected 2 or 3; convert it anew");
}

Status GgufParser::Read(std::map<std::string, GgufValue>& metadata,
                        std::vector<GgufTensor>& tensors) {
  EMEND_RETURN_IF_ERROR(ReadVersion());
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t tensor_count, Count(kEntryBytesMin, "tensors"));
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t pair_count, Count(kPairBytesMin, "metadata keys"));
  EMEND_RETURN_IF_ERROR(ReadMetadata(pair_count, metadata));
  std::vector<Placed> placed;
  for (std::uint64_t i = 0; i < tensor_count; ++i) {
    EMEND_ASSIGN_OR_RETURN(placed.emplace_back(), Tensor());
  }
  std::int64_t alignment = kAlignmentDefault;
  if (const auto found = metadata.find(kAlignmentKey); found != metadata.end()) {
    const auto* const value = std::get_if<std::int64_t>(&found->second);
    if (value == nullptr || *value <= 0 || *value > kAlignmentMax ||
        !std::has_single_bit(static_cast<std::uint64_t>(*value)))
      return Refuse("bad_alignment", std::string(kAlignmentKey) +
                                         ": expected a power of two up to " +
                                         std::to_string(kAlignmentMax));
    alignment = *value;
  }
  return Place(placed, static_cast<std::uint64_t>(alignment), tensors);
}

Status GgufParser::ReadMetadata(std::uint64_t count, std::map<std::string, GgufValue>& metadata) {
  for (std::uint64_t i = 0; i < count; ++i) {
    EMEND_ASSIGN_OR_RETURN(const std::string key,
                           Name("the name of metadata key " + std::to_string(i)));
    EMEND_ASSIGN_OR_RETURN(const std::uint64_t type, Number(4, "the type of " + JsonQuote(key)));
    EMEND_ASSIGN_OR_RETURN(GgufValue value, Value(type, key));
    if (!metadata.emplace(key, std::move(value)).second)
      return Refuse("duplicate", "found the key " + JsonQuote(Shortened(key)) + " twice");
  }
  return OkStatus();
}

Result<GgufValue> GgufParser::Value(std::uint64_t type, const std::string& key) {
  if (type >= kValueTypes.size()) {
    return Refuse("bad_type", JsonQuote(Shortened(key)) + ": found a value of type " +
                                  std::to_string(type) + ", expected one below " +
                                  std::to_string(kValueTypes.size()));
  }
  if (type == kArrayType) {
    EMEND_ASSIGN_OR_RETURN(GgufArray array, Array(key));
    return GgufValue(std::move(array));
  }
  if (type == kTextType) {
    EMEND_ASSIGN_OR_RETURN(const std::string_view text, Text(JsonQuote(Shortened(key))));
    return GgufValue(text);
  }
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t bits,
                         Number(kValueTypes[type].bytes, JsonQuote(Shortened(key))));
  return Scalar(kValueTypes[type], bits);
}

Result<GgufArray> GgufParser::Array(const std::string& key) {
  const std::string what = JsonQuote(Shortened(key));
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t type, Number(4, "the type of the list " + what));
  if (type == kArrayType)
    return RefuseAsUnsupported("gguf_nested_array", what + ": found a list of lists");
  if (type >= kValueTypes.size())
    return Refuse("bad_type", what + ": found a list of values of type " + std::to_string(type));
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t count,
                         Count(kValueTypes[type].bytes, "elements of the list " + what));
  if (count > kArrayMax) {
    return Refuse("bad_count", what + ": found a list of " + std::to_string(count) +
                                   ", expected at most " + std::to_string(kArrayMax));
  }
  GgufArray array;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (type == kTextType) {
      EMEND_ASSIGN_OR_RETURN(array.texts.emplace_back(), Text("an element of " + what));
    } else {
      EMEND_ASSIGN_OR_RETURN(const std::uint64_t bits, Number(kValueTypes[type].bytes, what));
      array.numbers.push_back(AsNumber(Scalar(kValueTypes[type], bits)));
    }
  }
  return array;
}

Result<GgufParser::Placed> GgufParser::Tensor() {
  Placed placed;
  EMEND_ASSIGN_OR_RETURN(placed.tensor.name, Name("a tensor's name"));
  const std::string what = "tensor " + JsonQuote(Shortened(placed.tensor.name));
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t dimensions,
                         Number(4, what + ": the number of dimensions"));
  if (dimensions == 0 || dimensions > kDimensionsMax)
    return Refuse("bad_shape", what + ": found " + std::to_string(dimensions) +
                                   " dimensions, expected 1 to " + std::to_string(kDimensionsMax));
  for (std::uint64_t i = 0; i < dimensions; ++i) {
    EMEND_ASSIGN_OR_RETURN(placed.tensor.shape.emplace_back(), Number(8, what + ": its shape"));
  }
  std::ranges::reverse(placed.tensor.shape);  // files name the innermost first
  EMEND_ASSIGN_OR_RETURN(const std::uint64_t type, Number(4, what + ": its type"));
  const GgufType* const known = FindGgufType(static_cast<std::uint32_t>(type));
  if (known == nullptr || known->dequantise == nullptr) {
    const std::string name = known == nullptr ? "" : " (" + std::string(known->name) + ")";
    return RefuseAsUnsupported("unsupported_dtype", what + ": found elements of type " +
                                                        std::to_string(type) + name +
                                                        ", expected one of " + GgufTypesRead());
  }
  placed.tensor.type = known;
  EMEND_ASSIGN_OR_RETURN(placed.offset, Number(8, what + ": its offset"));
  EMEND_RETURN_IF_ERROR(ReadShape(placed));
  return placed;
}

// The bytes that shape and type take.
Status GgufParser::ReadShape(Placed& placed) {
  const GgufTensor& tensor = placed.tensor;
  const std::string what = "tensor " + JsonQuote(Shortened(tensor.name)) + ": ";
  if (tensor.row_elements() % tensor.type->block_elements != 0) {
    return Refuse("bad_shape", what + "found rows of " + std::to_string(tensor.row_elements()) +
                                   " elements, expected a multiple of the " +
                                   std::to_string(tensor.type->block_elements) + " of a block of " +
                                   std::string(tensor.type->name));
  }
  placed.size = 1;
  for (const std::uint64_t dimension : tensor.shape) {
    if (dimension == 0) return Refuse("bad_shape", what + "found a dimension of 0");
    if (__builtin_mul_overflow(placed.size, dimension, &placed.size))
      return Refuse("bad_shape", what + "the shape's product leaves 64 bits");
  }
  placed.size /= tensor.type->block_elements;
  if (__builtin_mul_overflow(placed.size, tensor.type->block_bytes, &placed.size))
    return Refuse("bad_shape", what + "the shape's product leaves 64 bits");
  return OkStatus();
}

Status GgufParser::Place(std::vector<Placed>& placed, std::uint64_t alignment,
                         std::vector<GgufTensor>& tensors) const {
  const std::uint64_t begin = (at_ + alignment - 1) / alignment * alignment;
  const std::uint64_t size = file_.size() > begin ? file_.size() - begin : 0;
  std::ranges::sort(placed, {}, &Placed::offset);
  std::uint64_t cursor = 0;
  for (Placed& each : placed) {
    const std::string what = "tensor " + JsonQuote(Shortened(each.tensor.name)) + ": found it at " +
                             std::to_string(each.offset) + " of the data, ";
    if (each.offset % alignment != 0)
      return Refuse("bad_offset", what + "expected a multiple of " + std::to_string(alignment));
    if (each.offset > size || each.size > size - each.offset) {
      return Refuse("bad_offset", what + std::to_string(each.size) +
                                      " bytes long, which is past the end of the file's " +
                                      std::to_string(size) + "; it may be cut short");
    }
    if (each.offset < cursor)
      return Refuse("overlap", what + "where another ends at " + std::to_string(cursor));
    cursor = each.offset + each.size;
    each.tensor.bytes = file_.subspan(begin + each.offset, each.size);
    tensors.push_back(std::move(each.tensor));
  }
  std::vector<std::string_view> names;
  for (const GgufTensor& tensor : tensors) names.push_back(tensor.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice == names.end()) return OkStatus();
  return Refuse("duplicate", "found the tensor " + JsonQuote(Shortened(*twice)) + " twice");
}

}  // namespace emend::storage::checkpoint
