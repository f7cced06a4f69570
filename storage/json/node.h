// What a parsed text is made of. Inside this folder only.
#pragma once

#include <string>
#include <variant>
#include <vector>

namespace emend::storage::json {

struct Node;
struct Member;

struct Number {
  double value = 0;
  std::string text;  // as it was written
};

struct Node {
  // in the order of `Kind`, without kAbsent
  std::variant<std::monostate, bool, Number, std::string, std::vector<Node>, std::vector<Member>>
      content;
};

// Members of an object are sorted by name once it is complete.
struct Member {
  std::string name;
  Node value;
};

}  // namespace emend::storage::json
