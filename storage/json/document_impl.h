// What a Document holds. Inside this folder only.
#pragma once

#include <utility>
#include <vector>

#include "storage/json/builder.h"
#include "storage/json/document.h"

namespace emend::storage::json {

struct Document::Impl {
  explicit Impl(Node node) : root(std::move(node)) {}
  Node root;
  std::vector<Problem> problems;
};

// "line 3, column 7: " where the byte is known, and what is wrong.
Status MalformedJson(std::string_view text, const TextFault& fault);

}  // namespace emend::storage::json
