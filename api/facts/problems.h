// What is wrong with the rows of a file. A value.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "api/facts/fact_file.h"
#include "storage/facts/draft.h"

namespace emend::api::facts {

// The problems of the rows, and how many a file has in all.
class ProblemList {
 public:
  void Add(std::size_t row, std::string field, std::string message) {
    ++count_;
    if (kept_.size() < kProblemsKeptMax)
      kept_.push_back({row, std::move(field), std::move(message)});
  }
  // Those of one row.
  storage::facts::Complain Of(std::size_t row) {
    return [this, row](const std::string& field, const std::string& message) {
      Add(row, field, message);
    };
  }

  std::size_t count() const { return count_; }
  std::vector<RowProblem>& kept() { return kept_; }

 private:
  std::vector<RowProblem> kept_;  // the first kProblemsKeptMax
  std::size_t count_ = 0;
};

}  // namespace emend::api::facts
