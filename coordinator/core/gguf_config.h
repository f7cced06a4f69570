// config.json as it is made from a GGUF file, under the rule that no key of the architecture goes
// unnoticed: each is read, neutral at its value, or refused by name.
//
//   GgufConfig maker(file, "llama");
//   EMEND_ASSIGN_OR_RETURN(const auto layers, maker.Integer("block_count"));
//   maker.config["num_hidden_layers"] = *layers;
//   EMEND_RETURN_IF_ERROR(maker.RefuseUnread());
//
// Keys are named without the architecture. Errors: GgufFile's, and as each method says. Not
// thread-safe; borrows the file.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "storage/base/status.h"
#include "storage/checkpoint/gguf.h"

namespace emend::coordinator::core {

// "converting the GGUF file ...: " and what.
Status CannotConvert(const storage::checkpoint::GgufFile& file, StatusCode code, const char* slug,
                     const std::string& what);

// The double that is written as the float is: 1e-5 and not 9.99999974e-06.
double Shortest(double value);

class GgufConfig {
 public:
  GgufConfig(const storage::checkpoint::GgufFile& file, std::string_view architecture)
      : file_(file), prefix_(std::string(architecture) + ".") {}

  Result<std::optional<std::int64_t>> Integer(std::string_view key) {
    return file_.Integer(Seen(key));
  }
  Result<std::optional<double>> Number(std::string_view key) { return file_.Number(Seen(key)); }
  // `key` as the file has it; accounted for from now on.
  std::string Seen(std::string_view key);
  // kUnsupported ("unsupported_config") if `key` is there with another value.
  Status Neutral(std::string_view key, std::int64_t value);
  // kUnsupported ("unsupported_config"): the value of `key` is none that can be converted.
  Status Unsupported(std::string_view key, const std::string& found,
                     const std::string& expected) const;
  // kUnsupported ("unsupported_config") names a key that nobody has seen.
  Status RefuseUnread() const;

  // What `config` holds under `key`.
  std::int64_t Made(const char* key) const { return config.at(key).get<std::int64_t>(); }
  const storage::checkpoint::GgufFile& file() const { return file_; }

  nlohmann::json config;

 private:
  const storage::checkpoint::GgufFile& file_;
  const std::string prefix_;
  std::set<std::string> seen_;
};

}  // namespace emend::coordinator::core
