#include "storage/checkpoint/header_json.h"

#include <nlohmann/json.hpp>
#include <unordered_set>

namespace emend::storage::checkpoint {
namespace {

// What the two handlers share: refusing with a slug, and running nlohmann's event parser over a
// text.
class SaxHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  // `what` begins every message; `slug_prefix` every slug.
  SaxHandler(std::string what, std::string slug_prefix)
      : what_(std::move(what)), slug_prefix_(std::move(slug_prefix)) {}

  // Parses `json`, which must be one object; the first refusal, by the parser or the handler, is
  // the result.
  Status Run(std::string_view json) {
    // The parser would skip a byte-order mark, and take a zero byte for the end of the text.
    if (json.empty() || json.front() != '{') {
      Refuse("not_object", "expected a JSON object that begins with '{' at the first byte");
      return status_;
    }
    if (json.find('\0') != std::string_view::npos) {
      Refuse("not_json", "found a zero byte at offset " + std::to_string(json.find('\0')) +
                             ", expected JSON padded with spaces");
      return status_;
    }
    try {
      if (!nlohmann::json::sax_parse(json, this)) Refuse("not_json", "the JSON is malformed");
    } catch (const nlohmann::json::exception& error) {
      Refuse("not_json", error.what());
    }
    return status_;
  }

  bool null() override { return RefuseValue("null"); }
  bool boolean(bool) override { return RefuseValue("true or false"); }
  bool binary(binary_t&) override { return RefuseValue("binary data"); }
  bool number_integer(number_integer_t value) override {
    return Refuse("negative_number",
                  "found " + std::to_string(value) + ", expected an integer of 0 or more");
  }
  bool number_float(number_float_t, const string_t& text) override {
    // An integer that fits no 64-bit type arrives here too.
    if (text.find_first_not_of("0123456789") == std::string::npos)
      return Refuse("number_overflow", "found " + text + ", expected an integer below 2^64");
    if (text.find_first_not_of("-0123456789") == std::string::npos)
      return Refuse("negative_number", "found " + text + ", expected an integer of 0 or more");
    return Refuse("fractional_number",
                  "found " + text + ", expected an integer without fraction or exponent");
  }
  bool parse_error(std::size_t position, const std::string& last_token,
                   const nlohmann::json::exception& error) override {
    constexpr int kNumberOutOfRange = 406;
    if (error.id == kNumberOutOfRange)
      return Refuse("number_overflow",
                    "found the number " + last_token + ", expected an integer below 2^64");
    return Refuse("not_json", "the JSON is malformed near byte " + std::to_string(position) + ": " +
                                  error.what());
  }

 protected:
  // Keeps the first refusal and ends the parse. The slug goes without its prefix.
  bool Refuse(const std::string& slug, const std::string& message) {
    if (status_.ok())
      status_ = Status(StatusCode::kInvalidArgument, slug_prefix_ + slug, what_ + ": " + message);
    return false;
  }
  // A value of a type that has no place here; says where, and what was expected.
  virtual bool RefuseValue(const std::string& found) = 0;

 private:
  const std::string what_;
  const std::string slug_prefix_;
  Status status_;
};

// {"__metadata__": {text: text}, name: {"dtype": text, "shape": [n...], "data_offsets": [n, n]},
// ...}
class HeaderHandler final : public SaxHandler {
 public:
  explicit HeaderHandler(const std::string& file_name)
      : SaxHandler("reading the header of \"" + file_name + "\"", "safetensors_") {}

  std::vector<HeaderEntry> TakeEntries() { return std::move(entries_); }

  bool key(string_t& name) override {
    if (place_ == Place::kTop) return TensorName(name);
    if (place_ == Place::kMetadata)
      return metadata_names_.insert(name).second ||
             Refuse("duplicate_name", "__metadata__ names \"" + name + "\" twice");
    return FieldName(name);
  }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::kOutside: place_ = Place::kTop; return true;
      case Place::kTop:
        place_ = entry_.name == kMetadataName ? Place::kMetadata : Place::kTensor;
        return true;
      default: return RefuseValue("an object");
    }
  }

  bool end_object() override {
    const Place left = place_;
    place_ = left == Place::kTop ? Place::kOutside : Place::kTop;
    if (left != Place::kTensor) return true;
    if (fields_seen_ != kAllFields)
      return Refuse("missing_field",
                    "tensor \"" + entry_.name + "\" lacks one of dtype, shape and data_offsets");
    entry_.begin = offsets_[0];
    entry_.end = offsets_[1];
    entries_.push_back(std::move(entry_));
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::kTensor || field_ == kDTypeField) return RefuseValue("a list");
    place_ = Place::kNumbers;
    return true;
  }

  bool end_array() override {
    place_ = Place::kTensor;
    if (field_ == kShapeField || offsets_.size() == 2) return true;
    return Refuse("wrong_type", "tensor \"" + entry_.name + "\": data_offsets has " +
                                    std::to_string(offsets_.size()) + " numbers, expected 2");
  }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::kNumbers) return RefuseValue("a number");
    if (field_ == kOffsetsField && offsets_.size() == 2)
      return Refuse("wrong_type",
                    "tensor \"" + entry_.name + "\": data_offsets has over 2 numbers");
    (field_ == kShapeField ? entry_.shape : offsets_).push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) return true;
    if (place_ != Place::kTensor || field_ != kDTypeField) return RefuseValue("a text");
    entry_.dtype = std::move(value);
    return true;
  }

 protected:
  bool RefuseValue(const std::string& found) override {
    if (place_ == Place::kOutside)
      return Refuse("not_object", "found " + found + ", expected an object");
    if (place_ == Place::kMetadata)
      return Refuse("bad_metadata", "__metadata__ holds " + found + ", expected texts alone");
    return Refuse(
        entry_.name == kMetadataName ? "bad_metadata" : "wrong_type",
        "\"" + entry_.name + "\" holds " + found +
            ", expected {\"dtype\": text, \"shape\": [integers], \"data_offsets\": [begin, end]}");
  }

 private:
  enum class Place { kOutside, kTop, kMetadata, kTensor, kNumbers };
  enum Field : unsigned { kDTypeField = 1, kShapeField = 2, kOffsetsField = 4 };
  static constexpr unsigned kAllFields = kDTypeField | kShapeField | kOffsetsField;
  static constexpr std::string_view kMetadataName = "__metadata__";

  bool TensorName(const std::string& name) {
    if (!names_.insert(name).second)
      return Refuse("duplicate_name", "\"" + name + "\" is named twice");
    entry_ = HeaderEntry();
    entry_.name = name;
    offsets_.clear();
    fields_seen_ = 0;
    return true;
  }

  bool FieldName(const std::string& name) {
    if (name == "dtype") {
      field_ = kDTypeField;
    } else if (name == "shape") {
      field_ = kShapeField;
    } else if (name == "data_offsets") {
      field_ = kOffsetsField;
    } else {
      return Refuse("unknown_field", "tensor \"" + entry_.name + "\" has a field \"" + name +
                                         "\", expected dtype, shape and data_offsets");
    }
    if ((fields_seen_ & field_) != 0)
      return Refuse("duplicate_name",
                    "tensor \"" + entry_.name + "\" has two fields \"" + name + "\"");
    fields_seen_ |= field_;
    return true;
  }

  Place place_ = Place::kOutside;
  Field field_ = kDTypeField;
  unsigned fields_seen_ = 0;
  HeaderEntry entry_;                   // the tensor being read
  std::vector<std::uint64_t> offsets_;  // its data_offsets
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> metadata_names_;
  std::vector<HeaderEntry> entries_;
};

// {"weight_map": {tensor: file, ...}, anything else}
class IndexHandler final : public SaxHandler {
 public:
  explicit IndexHandler(const std::string& file_name)
      : SaxHandler("reading the index \"" + file_name + "\"", "index_") {}

  std::vector<std::pair<std::string, std::string>> TakeWeightMap() {
    return std::move(weight_map_);
  }
  bool has_weight_map() const { return has_weight_map_; }

  bool key(string_t& name) override {
    key_ = name;
    if (depth_ == 1 && !top_names_.insert(name).second)
      return Refuse("duplicate_name", "the field \"" + name + "\" is there twice");
    if (depth_ == 1) in_weight_map_ = name == "weight_map";
    if (depth_ == 2 && in_weight_map_ && !names_.insert(name).second)
      return Refuse("duplicate_name", "tensor \"" + name + "\" is listed twice");
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ == 2 && in_weight_map_) return RefuseValue("an object");
    ++depth_;
    has_weight_map_ |= depth_ == 2 && in_weight_map_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    if (in_weight_map_) return RefuseValue("a list");
    ++depth_;
    return true;
  }
  bool end_array() override { return end_object(); }

  bool string(string_t& value) override {
    if (!in_weight_map_) return true;
    if (depth_ != 2) return RefuseValue("a text");
    const bool plain = !value.empty() && value != "." && value != ".." &&
                       value.find_first_of(std::string("/\\\0", 3)) == std::string::npos;
    if (!plain)
      return Refuse("bad_file_name", "tensor \"" + key_ + "\" lies in \"" + value +
                                         "\", expected the name of a file beside the index");
    weight_map_.emplace_back(key_, value);
    return true;
  }

  bool number_unsigned(number_unsigned_t) override { return RefuseValue("a number"); }
  bool number_integer(number_integer_t) override { return RefuseValue("a number"); }
  bool number_float(number_float_t, const string_t&) override { return RefuseValue("a number"); }

 protected:
  bool RefuseValue(const std::string& found) override {
    if (!in_weight_map_) return true;
    return Refuse("wrong_type", "weight_map holds " + found + " at \"" + key_ +
                                    "\", expected tensor names with file names");
  }

 private:
  int depth_ = 0;
  bool in_weight_map_ = false;
  bool has_weight_map_ = false;
  std::string key_;
  std::unordered_set<std::string> top_names_;
  std::unordered_set<std::string> names_;
  std::vector<std::pair<std::string, std::string>> weight_map_;
};

}  // namespace

Result<std::vector<HeaderEntry>> ParseHeader(std::string_view json, const std::string& file_name) {
  HeaderHandler handler(file_name);
  EMEND_RETURN_IF_ERROR(handler.Run(json));
  return handler.TakeEntries();
}

Result<std::vector<std::pair<std::string, std::string>>> ParseWeightMap(
    std::string_view json, const std::string& file_name) {
  IndexHandler handler(file_name);
  EMEND_RETURN_IF_ERROR(handler.Run(json));
  if (!handler.has_weight_map()) {
    return Status(StatusCode::kInvalidArgument, "index_missing_weight_map",
                  "reading the index \"" + file_name + "\": it has no weight_map");
  }
  return handler.TakeWeightMap();
}

}  // namespace emend::storage::checkpoint
