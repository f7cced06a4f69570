#include "storage/checkpoint/gguf.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>

#include "storage/base/utf8.h"
#include "storage/checkpoint/gguf_parser.h"

namespace emend::storage::checkpoint {
namespace {

// "-00001-of-00003.gguf": the name that tools give to one file of several.
bool IsPartName(std::string_view name) {
  constexpr std::string_view kForm = "-00000-of-00000.gguf";
  constexpr std::string_view kOnlyPart = "-00001-of-00001.gguf";
  if (name.size() < kForm.size()) return false;
  const std::string_view end = name.substr(name.size() - kForm.size());
  if (end == kOnlyPart) return false;
  return std::ranges::equal(end, kForm, [](char found, char form) {
    return form == '0' ? found >= '0' && found <= '9' : found == form;
  });
}

}  // namespace

void GgufTensor::ReadRow(std::uint64_t row, std::span<float> values) const {
  EMEND_CHECK(values.size() == row_elements() && row < rows(),
              "a row of the tensor " + name + " was read that is not there");
  const std::uint8_t* block = bytes.data() + row * row_bytes();
  for (std::size_t at = 0; at < values.size(); at += type->block_elements) {
    type->dequantise(block, values.data() + at);
    block += type->block_bytes;
  }
}

Result<GgufFile> GgufFile::Open(const std::string& path) {
  const std::string name = std::filesystem::path(path).filename().string();
  if (IsPartName(name)) return GgufParser::IsPart(name);
  EMEND_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> mapping, MappedFile::Open(path));
  EMEND_ASSIGN_OR_RETURN(GgufFile file, Parse(mapping->bytes(), name));
  file.mapping_ = std::move(mapping);
  return file;
}

Result<GgufFile> GgufFile::Parse(std::span<const std::uint8_t> bytes, std::string name) {
  GgufFile file(std::move(name));
  GgufParser parser(bytes, file.name_);
  EMEND_RETURN_IF_ERROR(parser.Read(file.metadata_, file.tensors_));
  EMEND_ASSIGN_OR_RETURN(const auto parts, file.Integer("split.count"));
  if (parts.value_or(1) > 1) return GgufParser::IsPart(file.name_);
  return file;
}

Status GgufFile::BadValue(const std::string& key, const std::string& what) const {
  return {StatusCode::kInvalidArgument, "gguf_bad_value",
          "reading the GGUF file \"" + name_ + "\": " + key + ": " + what};
}

template <typename T>
Result<std::optional<T>> GgufFile::As(const std::string& key, const char* expected) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return std::optional<T>();
  if (const T* const value = std::get_if<T>(&found->second)) return std::optional<T>(*value);
  return BadValue(key, std::string("found a value of another kind, expected ") + expected);
}

Result<std::optional<std::int64_t>> GgufFile::Integer(const std::string& key) const {
  constexpr char kExpected[] = "an integer from 0, or a list of equal ones";
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return std::optional<std::int64_t>();
  if (const auto* const list = std::get_if<GgufArray>(&found->second)) {
    const std::vector<double>& numbers = list->numbers;
    constexpr double kExactMax = 0x1p53;
    if (numbers.empty() ||
        std::ranges::adjacent_find(numbers, std::not_equal_to<>()) != numbers.end() ||
        numbers[0] < 0 || numbers[0] > kExactMax)
      return BadValue(key, std::string("found another list, expected ") + kExpected);
    return std::optional(static_cast<std::int64_t>(numbers[0]));
  }
  EMEND_ASSIGN_OR_RETURN(const auto value, As<std::int64_t>(key, kExpected));
  if (*value < 0)
    return BadValue(key, "found " + std::to_string(*value) + ", expected " + kExpected);
  return value;
}

Result<std::optional<double>> GgufFile::Number(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found != metadata_.end()) {
    if (const auto* const integer = std::get_if<std::int64_t>(&found->second))
      return std::optional(static_cast<double>(*integer));
  }
  EMEND_ASSIGN_OR_RETURN(const auto value, As<double>(key, "a number"));
  if (value && !std::isfinite(*value)) return BadValue(key, "found no finite number");
  return value;
}

Result<std::optional<bool>> GgufFile::Flag(const std::string& key) const {
  return As<bool>(key, "true or false");
}

Result<std::optional<std::string_view>> GgufFile::Text(const std::string& key) const {
  EMEND_ASSIGN_OR_RETURN(const auto text, As<std::string_view>(key, "a text"));
  if (text && FirstInvalidUtf8(*text)) return BadValue(key, "the text is not UTF-8");
  return text;
}

Result<const GgufArray*> GgufFile::Array(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return static_cast<const GgufArray*>(nullptr);
  if (const auto* const array = std::get_if<GgufArray>(&found->second)) return array;
  return BadValue(key, "found a single value, expected a list");
}

const GgufTensor* GgufFile::Find(std::string_view name) const {
  const auto found = std::ranges::find(tensors_, name, &GgufTensor::name);
  return found == tensors_.end() ? nullptr : &*found;
}

}  // namespace emend::storage::checkpoint
