// config.json under the rule that nothing in it goes unnoticed: every key is read, listed as
// harmless, or refused by name.
//
//   EMEND_ASSIGN_OR_RETURN(ConfigJson json, ConfigJson::Parse(text, "atlas/config.json"));
//   EMEND_ASSIGN_OR_RETURN(config.layers, json.Integer("n_layer", {}));
//   json.Harmless({"resid_pdrop"});
//   EMEND_RETURN_IF_ERROR(json.RefuseUnread());
//
// A null counts as an absent key, as it does to the library that writes these files. Failures:
// kInvalidArgument (slug "bad_config") for a key that is missing, of the wrong type or out of
// range; kUnsupported (slug "unsupported_config") for one that is unknown or asks for what this
// build does not do. Not thread-safe; a value that is filled once and dropped.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace emend::worker::model {

class ConfigJson {
 public:
  // `name` is what messages call the file.
  static Result<ConfigJson> Parse(std::string_view text, std::string name);

  // The forms with a fallback return it when the key is absent; without one, absence is an error.
  // Integers are sizes: from 1 to 2^31 - 1.
  Result<std::int64_t> Integer(const std::string& key, std::optional<std::int64_t> fallback);
  Result<double> PositiveNumber(const std::string& key, std::optional<double> fallback);
  Result<bool> Flag(const std::string& key, bool fallback);
  Result<std::string> Text(const std::string& key, std::optional<std::string> fallback);
  // A token id, or -1 for none; of a list of ids, the first.
  Result<std::int32_t> Token(const std::string& key);
  // The object under `key` as a ConfigJson of its own; nothing when absent.
  Result<std::optional<ConfigJson>> Object(const std::string& key);

  // Refuses the file if `key` is there with any other value than `only`.
  Status RequireFlag(const std::string& key, bool only);
  // Keys that say nothing about the forward pass.
  void Harmless(std::initializer_list<const char*> keys);
  // What every file of this kind may carry: names, versions, training and generation settings.
  void HarmlessEverywhere();
  // kUnsupported, naming every key that was neither read nor declared harmless.
  Status RefuseUnread() const;

  const std::string& name() const { return name_; }

 private:
  const nlohmann::json* Find(const std::string& key);
  Status Bad(const std::string& key, const std::string& expected) const;

  nlohmann::json object_;
  std::string name_;
  std::set<std::string> seen_;
};

}  // namespace emend::worker::model
