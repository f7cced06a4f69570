// CSV by RFC 4180: cells in quotes may hold commas, line ends and doubled quotes; lines end with LF
// or CRLF. Thread-safety: a CsvReader belongs to one thread; it borrows its text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"

namespace emend::api::facts {

class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : text_(text) {}

  // The cells of the next line that is not blank; none at the end. kInvalidArgument, slug
  // "bad_fact_file", names the line where quotes are wrong.
  Result<std::vector<std::string>> Next();
  // The line, from 1, on which the record that Next returned last begins.
  std::size_t line() const { return record_line_; }

 private:
  Result<std::string> Cell();
  Result<std::string> QuotedCell();
  bool AtCellEnd() const {
    return at_ == text_.size() || text_[at_] == ',' || text_[at_] == '\n' ||
           text_.substr(at_).starts_with("\r\n");
  }
  // Passes over a line end, if there is one here.
  void EndLine();
  Status Bad(std::string_view what) const;

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t record_line_ = 0;
};

}  // namespace emend::api::facts
