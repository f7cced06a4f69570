#include "storage/checkpoint/sax_base.h"

namespace emend::storage::checkpoint {

bool SaxHandler::Refuse(const std::string& slug, const std::string& message) {
  if (status_.ok())
    status_ = Status(StatusCode::kInvalidArgument, slug_prefix_ + slug, what_ + ": " + message);
  return false;
}

Status SaxHandler::Run(std::string_view json) {
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

bool SaxHandler::number_integer(number_integer_t value) {
  return Refuse("negative_number",
                "found " + std::to_string(value) + ", expected an integer of 0 or more");
}

bool SaxHandler::number_float(number_float_t /*value*/, const string_t& text) {
  // An integer that fits no 64-bit type arrives here too.
  if (text.find_first_not_of("0123456789") == std::string::npos)
    return Refuse("number_overflow", "found " + text + ", expected an integer below 2^64");
  if (text.find_first_not_of("-0123456789") == std::string::npos)
    return Refuse("negative_number", "found " + text + ", expected an integer of 0 or more");
  return Refuse("fractional_number",
                "found " + text + ", expected an integer without fraction or exponent");
}

bool SaxHandler::parse_error(std::size_t position, const std::string& last_token,
                             const nlohmann::json::exception& error) {
  constexpr int kNumberOutOfRange = 406;
  if (error.id == kNumberOutOfRange)
    return Refuse("number_overflow",
                  "found the number " + last_token + ", expected an integer below 2^64");
  return Refuse("not_json", "the JSON is malformed near byte " + std::to_string(position) + ": " +
                                error.what());
}

}  // namespace emend::storage::checkpoint
