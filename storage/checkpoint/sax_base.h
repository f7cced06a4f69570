// What the two JSON handlers share: refusing with a slug, and running nlohmann's event parser over
// a text. Internal to storage/checkpoint.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace emend::storage::checkpoint {

class SaxHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  // `what` begins every message; `slug_prefix` every slug.
  SaxHandler(std::string what, std::string slug_prefix)
      : what_(std::move(what)), slug_prefix_(std::move(slug_prefix)) {}

  const Status& status() const { return status_; }

  // Parses `json`, which must be one object; the first refusal, by the parser or the handler, is
  // the result.
  Status Run(std::string_view json);

  bool null() override { return RefuseValue("null"); }
  bool boolean(bool) override { return RefuseValue("true or false"); }
  bool binary(binary_t&) override { return RefuseValue("binary data"); }
  bool number_integer(number_integer_t value) override;
  bool number_float(number_float_t value, const string_t& text) override;
  bool parse_error(std::size_t position, const std::string& last_token,
                   const nlohmann::json::exception& error) override;

 protected:
  // Keeps the first refusal and ends the parse. The slug goes without its prefix.
  bool Refuse(const std::string& slug, const std::string& message);
  // A value of a type that has no place here; says where, and what was expected.
  virtual bool RefuseValue(const std::string& found) = 0;

 private:
  const std::string what_;
  const std::string slug_prefix_;
  Status status_;
};

}  // namespace emend::storage::checkpoint
