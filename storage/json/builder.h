// Nodes from the events of the parser. Inside this folder only.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "storage/json/node.h"

namespace emend::storage::json {

// What is wrong with a text, and where.
struct TextFault {
  std::optional<std::size_t> byte;
  std::string what;  // with the pointer of the value where it was found
};

// Sees the text as a stream of events and stops at the first fault, so that a hostile text costs no
// more memory than what came before the fault.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  // Called with each element of the outermost list as soon as it is complete; the element is then
  // forgotten. A key that comes twice is a fault of its element, is handed over instead of it and
  // does not end the reading.
  using TakeElement = std::function<bool(std::size_t index, Result<Node> element)>;

  explicit Builder(int depth_max) : depth_max_(depth_max) {}
  Builder(int depth_max, TakeElement take) : depth_max_(depth_max), take_(std::move(take)) {}

  // False at a fault.
  bool Parse(std::string_view text);
  const TextFault& fault() const { return fault_; }
  Node& root() { return root_; }

  bool null() override { return Put(Node{}); }
  bool boolean(bool flag) override { return Put(Node{flag}); }
  bool number_integer(number_integer_t value) override {
    return Put(Node{Number{static_cast<double>(value), std::to_string(value)}});
  }
  bool number_unsigned(number_unsigned_t value) override {
    return Put(Node{Number{static_cast<double>(value), std::to_string(value)}});
  }
  bool number_float(number_float_t value, const string_t& text) override {
    return Put(Node{Number{value, text}});
  }
  bool string(string_t& text) override { return Put(Node{std::move(text)}); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return Open(Node{std::vector<Member>{}}); }
  bool key(string_t& name) override;
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(Node{std::vector<Node>{}}); }
  bool end_array() override { return Close(); }
  bool parse_error(std::size_t byte, const std::string& token,
                   const nlohmann::detail::exception& error) override;

 private:
  struct Level {
    Node node;
    std::string name;       // of the member that is read
    std::size_t count = 0;  // of items begun
  };

  bool Put(Node node);
  bool Open(Node node);
  bool Close();
  // Sorts members by name. False if a name comes twice in a text that is read as one.
  bool Sort(std::vector<Member>& members);
  // The element that is complete, or what was wrong with it, goes to `take_`.
  bool HandOver(Node node);
  // "at <pointer>: " of what is read now, within the element; empty at the top.
  std::string At() const;

  const int depth_max_;
  const TakeElement take_;
  std::string_view text_;
  Node root_;
  std::vector<Level> levels_;
  TextFault fault_;
  std::optional<std::string> element_fault_;
};

}  // namespace emend::storage::json
