#include "api/rest/strict_json.h"

#include <set>
#include <string>
#include <vector>

#include "coordinator/core/json_reader.h"

namespace emend::api::rest {
namespace {

using nlohmann::json;

// Sees the text as a stream of events and stops at the first fault, so that a hostile body costs no
// memory.
class Checker final : public nlohmann::json_sax<json> {
 public:
  const std::string& fault() const { return fault_; }

  bool null() override { return Value(); }
  bool boolean(bool) override { return Value(); }
  bool number_integer(number_integer_t) override { return Value(); }
  bool number_unsigned(number_unsigned_t) override { return Value(); }
  bool number_float(number_float_t, const string_t&) override { return Value(); }
  bool string(string_t& text) override {
    if (text.find('\0') != string_t::npos) return Fail("found NUL in a text");
    return Value();
  }
  bool binary(binary_t&) override { return Value(); }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return Begin();
  }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    return Fail("the key " + json(name).dump(-1, ' ', false, json::error_handler_t::replace) +
                " comes twice in one object");
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    return Begin() && (depth_ > 1 || Fail("found a list, expected an object"));
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::detail::exception& error) override {
    return Fail(coordinator::core::PlainJsonError(error.what()));
  }

 private:
  bool Value() { return depth_ > 0 || Fail("found a single value, expected an object"); }
  bool Begin() {
    return ++depth_ <= kJsonDepthMax ||
           Fail("it is nested deeper than " + std::to_string(kJsonDepthMax));
  }
  bool Fail(std::string what) {
    if (fault_.empty()) fault_ = std::move(what);
    return false;
  }

  int depth_ = 0;
  std::vector<std::set<std::string>> keys_;
  std::string fault_;
};

}  // namespace

Status CheckJsonObject(std::string_view text) {
  Checker checker;
  if (json::sax_parse(text, &checker)) return OkStatus();
  return {StatusCode::kInvalidArgument, "malformed_json",
          "reading the JSON body: " + checker.fault()};
}

Result<json> ParseJsonObject(std::string_view text) {
  EMEND_RETURN_IF_ERROR(CheckJsonObject(text));
  return json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace emend::api::rest
