#include "api/facts/csv.h"

#include <algorithm>

namespace emend::api::facts {

Status CsvReader::Bad(std::string_view what) const {
  return {StatusCode::kInvalidArgument, "bad_fact_file",
          "line " + std::to_string(line_) + ", in the record that begins on line " +
              std::to_string(record_line_) + ": " + std::string(what)};
}

void CsvReader::EndLine() {
  if (text_.substr(at_).starts_with("\r\n")) ++at_;
  if (at_ == text_.size()) return;
  ++at_;
  ++line_;
}

Result<std::string> CsvReader::QuotedCell() {
  std::string cell;
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '\n') ++line_;
    if (text_[at_] != '"') {
      cell.push_back(text_[at_]);
      continue;
    }
    ++at_;
    if (at_ == text_.size() || text_[at_] != '"') {
      if (!AtCellEnd())
        return Bad(
            "text after the closing quote of a cell; a quote inside a cell is written twice");
      return cell;
    }
    cell.push_back('"');
  }
  return Bad("the quote that opens a cell is never closed");
}

Result<std::string> CsvReader::Cell() {
  if (at_ < text_.size() && text_[at_] == '"') return QuotedCell();
  const std::size_t begin = at_;
  while (!AtCellEnd()) {
    if (text_[at_] == '"')
      return Bad(
          "a quote inside a cell that does not begin with one; put the cell in quotes and write "
          "the quote twice");
    ++at_;
  }
  return std::string(text_.substr(begin, at_ - begin));
}

Result<std::vector<std::string>> CsvReader::Next() {
  std::vector<std::string> cells;
  while (at_ < text_.size() && (text_[at_] == '\n' || text_.substr(at_).starts_with("\r\n")))
    EndLine();
  record_line_ = line_;
  if (at_ == text_.size()) return cells;
  while (true) {
    EMEND_ASSIGN_OR_RETURN(std::string cell, Cell());
    cells.push_back(std::move(cell));
    if (at_ == text_.size() || text_[at_] != ',') break;
    ++at_;
  }
  EndLine();
  return cells;
}

}  // namespace emend::api::facts
