// config.json under the rule that nothing in it goes unnoticed: every key is read, listed as
// harmless, neutral at the value it has, or refused by name.
//
//   EMEND_ASSIGN_OR_RETURN(ConfigJson json, ConfigJson::Parse(text, "atlas/config.json"));
//   EMEND_ASSIGN_OR_RETURN(config.layers, json.Integer("n_layer", {}));
//   json.Harmless({"resid_pdrop"});
//   EMEND_RETURN_IF_ERROR(json.Neutral({{"rope_interleaved", "false"}}));
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
#include <vector>

#include "storage/base/status.h"
#include "worker/families/model_config.h"

namespace emend::worker::families {

// A key that changes nothing at this value, which is JSON. "null": any value changes something.
struct NeutralKey {
  const char* key;
  const char* value;
};

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
  // A token id or a list of them; none when absent.
  Result<std::vector<std::int32_t>> Tokens(const std::string& key);
  // Every element must be a number, or a string; none when absent.
  Result<std::vector<double>> Numbers(const std::string& key);
  Result<std::vector<std::string>> Texts(const std::string& key);
  // The key is there and null, where that means something else than its absence.
  bool IsNull(const std::string& key) const;
  // "gelu_new", "gelu_pytorch_tanh" and "gelu_fast" are one function. kUnsupported names the value
  // and the known ones.
  Result<Activation> ActivationNamed(const std::string& key, const std::string& fallback);
  // The object under `key` as a ConfigJson of its own; nothing when absent.
  Result<std::optional<ConfigJson>> Object(const std::string& key);

  // Keys that say nothing about the forward pass.
  void Harmless(std::initializer_list<const char*> keys);
  // Refuses the file if one of these keys is there with another value and was not read.
  Status Neutral(std::initializer_list<NeutralKey> keys);
  // Refuses the file unless every element of the list under `key`, if there is one and it was not
  // read, is `only`.
  Status NeutralElements(const std::string& key, const std::string& only);
  // kUnsupported, naming every key that was neither read nor declared.
  Status RefuseUnread() const;

  // kInvalidArgument, for what this class does not check.
  Status Bad(const std::string& message) const;
  // kUnsupported: `key` was found as it is, and only `computed` is computed.
  Status Unsupported(const std::string& key, const std::string& computed) const;

 private:
  const nlohmann::json* Find(const std::string& key);
  Status BadValue(const std::string& key, const std::string& expected) const;

  nlohmann::json object_;
  std::string name_;
  std::set<std::string> seen_;
};

}  // namespace emend::worker::families
