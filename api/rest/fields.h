// Fields: the fields of a request's JSON object, asked for by name; what was not asked for is
// refused. Inside this folder only.
//
//   Fields fields(body);
//   ask.prompt = fields.Required("prompt");
//   ask.top = fields.Whole("top", 5, {0, 100});
//   fields.RefuseUnknown();
//   EMEND_RETURN_IF_ERROR(fields.status());               // the first failure
//
// A whole number may be written as a float is ("4.0"), null is as absent. A failure is
// kInvalidArgument and begins with the field's JSON pointer; of a value it shows the first 100
// bytes. Of an object inside the body `place` is the beginning of its pointers, "messages/0/".
// Owned by one thread; `body` must outlive it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::api::rest {

// The beginning of it: what a message shows of what somebody sent.
std::string Shown(const nlohmann::json& value);

class Fields {
 public:
  struct Bounds {
    std::int64_t min = 0;
    std::int64_t max = 0;
    // -1 is taken, too, and as absent: what some clients send for "off".
    bool is_off_below = false;
  };

  explicit Fields(const nlohmann::json& body, std::string place = "")
      : body_(body), place_(std::move(place)) {}
  const Status& status() const { return status_; }

  // Null if it is absent or null.
  const nlohmann::json* Find(const char* name);
  std::int64_t Whole(const char* name, std::int64_t fallback, Bounds bounds);
  double Number(const char* name, double fallback, double min, double max);
  bool Flag(const char* name);
  // As storage/json reads a text: at most 64 KiB, no control characters but newline and tab.
  std::string Text(const char* name, const char* fallback);
  std::string Required(const char* name);  // any text that is not empty
  // A text, or a list of 1 to `count_max`.
  std::vector<std::string> Texts(const char* name, std::size_t count_max);
  // A field that must keep its neutral value.
  void Neutral(const char* name, const nlohmann::json& neutral);
  void Refuse(const char* name, const nlohmann::json& value, const std::string& expected);
  void RefuseUnknown();

 private:
  void Fail(const std::string& name, const std::string& what);

  const nlohmann::json& body_;
  const std::string place_;
  std::set<std::string> known_;
  Status status_;
};

}  // namespace emend::api::rest
