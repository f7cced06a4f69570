#include "api/facts/fact_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/facts/csv.h"
#include "api/facts/encoding.h"
#include "api/facts/forms.h"
#include "api/facts/problems.h"
#include "storage/base/check.h"
#include "storage/json/rows.h"
#include "storage/text/unicode.h"

namespace emend::api::facts {
namespace {

constexpr std::size_t kProblemsInStatusMax = 20;
constexpr std::array<std::pair<std::string_view, FactFormat>, 7> kFormats = {{
    {"auto", FactFormat::kAuto},
    {"counterfact", FactFormat::kCounterFact},
    {"easyedit", FactFormat::kEasyEdit},
    {"knowedit", FactFormat::kKnowEdit},
    {"zsre", FactFormat::kZsre},
    {"jsonl", FactFormat::kJsonl},
    {"csv", FactFormat::kCsv},
}};

Status BadFile(std::string message) {
  return {StatusCode::kInvalidArgument, "bad_fact_file", std::move(message)};
}

using storage::facts::Quote;
using storage::json::Document;

std::string_view FirstLine(std::string_view text) {
  return storage::text::Trim(text.substr(0, text.find('\n')));
}

// JSON lines, or one object written over several? The first line tells, or the second.
bool IsJsonLines(std::string_view text) {
  if (FirstLine(text).ends_with('}')) return true;
  const std::size_t end = std::min(text.find('\n'), text.size());
  return storage::text::Trim(text.substr(end)).starts_with('{');
}

// Reads one file: rows in order, those of the selection into facts and problems.
class FileReader {
 public:
  explicit FileReader(const ParseOptions& options) : options_(options), format_(options.format) {}

  Status Read(std::string_view text) {
    const bool json = text.starts_with('[') || text.starts_with('{');
    if (format_ == FactFormat::kAuto && !json) format_ = FactFormat::kCsv;
    if (format_ == FactFormat::kCsv) return ReadCsv(text);
    if (!json)
      return BadFile("expected JSON in the form " + std::string(FactFormatName(format_)) +
                     ", which begins with \"[\" or \"{\"");
    const storage::json::RowSink sink = {
        .rows_max = kFactRowsMax,
        .take = [this](std::size_t row, Result<Document> record) { TakeJson(row, record); }};
    const Result<std::size_t> rows = text.starts_with('[') ? ReadList(text, sink)
                                     : IsJsonLines(text)   ? ReadLines(text, sink)
                                                           : ReadOne(text);
    if (rows.ok()) file_.rows = *rows;
    if (rows.status().slug() == "malformed_json") return BadFile(rows.status().message());
    return rows.status();
  }

  Result<FactFile> Finish() {
    if (problems_.count() > 0 && options_.on_error == OnBadRow::kRefuseAll) return Refusal();
    if (file_.facts.empty() && problems_.count() == 0) {
      return Status(
          StatusCode::kInvalidArgument, "no_facts",
          "has no row to take: it has " + std::to_string(file_.rows) + " rows, asked for were " +
              (options_.limit.has_value() ? std::to_string(*options_.limit) : std::string("all")) +
              " from row " + std::to_string(options_.offset + 1) + " on");
    }
    file_.format = format_;
    file_.problem_count = problems_.count();
    file_.problems = std::move(problems_.kept());
    return std::move(file_);
  }

 private:
  bool Selects(std::size_t row) const {
    return row > options_.offset &&
           (!options_.limit.has_value() || row - options_.offset <= *options_.limit);
  }

  Result<std::size_t> ReadOne(std::string_view text) {
    EMEND_ASSIGN_OR_RETURN(Document record, Document::Parse(text));
    TakeJson(1, std::move(record));
    return 1;
  }

  void TakeJson(std::size_t row, const Result<Document>& record) {
    if (!Selects(row)) return;
    if (!record.ok()) return problems_.Add(row, "", record.status().message());
    const storage::json::Value root = record->root();
    if (std::string what = DescribeNoRow(root); !what.empty())
      return problems_.Add(row, "", std::move(what));
    if (format_ == FactFormat::kAuto) {
      const auto form = FormOf(root);
      if (!form.has_value()) {
        return problems_.Add(
            row, "",
            "has the fields of no known form; plain fields are " + storage::facts::FieldNames());
      }
      format_ = *form;
    }
    Take(row, ReadRecord(root, format_, problems_.Of(row)));
  }

  void Take(std::size_t row, const std::optional<Row>& read) {
    if (!read.has_value()) return;
    auto fact = storage::facts::CheckDraft(read->draft, problems_.Of(row));
    if (!fact.has_value()) return;
    for (const auto& [reason, count] : read->left_out) file_.left_out[reason] += count;
    if (!fact->old_target) {
      file_.neighbours_without_old_target += static_cast<std::size_t>(
          std::ranges::count(fact->neighbours, std::string(), &storage::text::Neighbour::target));
    }
    file_.facts.push_back(*std::move(fact));
    file_.fact_rows.push_back(row);
  }

  Status ReadCsv(std::string_view text) {
    if (HasOldLineEnds(text))
      return BadFile("has lines that end with CR alone; end them with LF or CRLF");
    CsvReader reader(text);
    EMEND_ASSIGN_OR_RETURN(std::vector<std::string> header, reader.Next());
    EMEND_RETURN_IF_ERROR(CheckHeader(&header));
    while (true) {
      EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> cells, reader.Next());
      if (cells.empty()) return OkStatus();
      if (++file_.rows > kFactRowsMax)
        return ResourceExhausted("has more than " + std::to_string(kFactRowsMax) + " rows");
      if (Selects(file_.rows))
        Take(file_.rows, ReadCsvRow(header, cells, problems_.Of(file_.rows)));
    }
  }

  static Status CheckHeader(std::vector<std::string>* header) {
    for (std::string& name : *header) {
      name = std::string(storage::text::Trim(name));
      if (name == "neighbors") name = "neighbours";
      if (storage::facts::FindField(name) == nullptr) {
        return BadFile("the header row has the column " + Quote(name) + "; the columns are " +
                       storage::facts::FieldNames());
      }
      if (std::count(header->begin(), header->end(), name) > 1)
        return BadFile("the header row has the column " + Quote(name) + " twice");
    }
    for (const char* const name : {"prompt", "subject", "target"}) {
      if (std::find(header->begin(), header->end(), name) == header->end()) {
        return BadFile(
            "expected a header row with the columns prompt, subject and target; there is no " +
            std::string(name));
      }
    }
    return OkStatus();
  }

  Status Refusal() {
    const std::vector<RowProblem>& kept = problems_.kept();
    const std::size_t shown = std::min(kept.size(), kProblemsInStatusMax);
    std::string message = std::to_string(problems_.count()) +
                          (problems_.count() == 1 ? " problem" : " problems") +
                          ", nothing was taken";
    for (std::size_t i = 0; i < shown; ++i) {
      message += (i == 0 ? ": row " : "; row ") + std::to_string(kept[i].row) +
                 (kept[i].field.empty() ? "" : ", " + kept[i].field) + ": " + kept[i].message;
    }
    if (problems_.count() > shown)
      message += "; and " + std::to_string(problems_.count() - shown) + " more";
    return {StatusCode::kInvalidArgument, "bad_facts", message};
  }

  const ParseOptions& options_;
  FactFormat format_;
  FactFile file_;
  ProblemList problems_;
};

Result<FactFile> Parse(std::string_view bytes, const ParseOptions& options) {
  if (bytes.size() > kFactFileBytesMax) {
    return ResourceExhausted("has " + std::to_string(bytes.size()) + " bytes; at most " +
                             std::to_string(kFactFileBytesMax) + " are allowed");
  }
  if (const auto fault = EncodingFault(bytes)) return BadFile(*fault);
  bytes = WithoutByteOrderMark(bytes);
  const std::size_t first = bytes.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return BadFile("is empty");
  FileReader reader(options);
  EMEND_RETURN_IF_ERROR(reader.Read(bytes.substr(first)));
  return reader.Finish();
}

}  // namespace

std::string_view FactFormatName(FactFormat format) {
  return std::find_if(kFormats.begin(), kFormats.end(),
                      [&](const auto& entry) { return entry.second == format; })
      ->first;
}

Result<FactFormat> FactFormatFromName(std::string_view name) {
  std::string names;
  for (const auto& [known, format] : kFormats) {
    if (known == name) return format;
    names.append(names.empty() ? "" : ", ").append(known);
  }
  return InvalidArgument(Quote(name) + " is no form of a fact file; the forms are " + names);
}

Result<FactFile> ParseFactFile(std::string_view bytes, std::string_view file_name,
                               const ParseOptions& options) {
  Result<FactFile> file = Parse(bytes, options);
  if (!file.ok()) return file.status().WithContext(file_name);
  return file;
}

}  // namespace emend::api::facts
