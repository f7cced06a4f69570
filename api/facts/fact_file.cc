#include "api/facts/fact_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "api/facts/csv.h"
#include "api/facts/forms.h"
#include "storage/base/utf8.h"

namespace emend::api::facts {
namespace {

constexpr std::size_t kProblemsInStatusMax = 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
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
    const JsonRowSink sink = {
        .wants = [this](std::size_t row) { return Selects(row); },
        .take = [this](std::size_t row, const Json& record) { TakeJson(row, record); },
        .not_json =
            [this](std::size_t row, std::string_view problem) {
              problems_.Add(row, "", std::string(problem));
            }};
    EMEND_ASSIGN_OR_RETURN(
        file_.rows, text.starts_with('[') ? ReadJsonArray(text, sink) : ReadJsonLines(text, sink));
    return OkStatus();
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

  void TakeJson(std::size_t row, const Json& record) {
    if (format_ == FactFormat::kAuto) {
      const auto form = FormOf(record);
      if (!form.has_value()) {
        problems_.Add(
            row, "",
            "has the fields of no known form; plain fields are " + std::string(kPlainFields));
        return;
      }
      format_ = *form;
    }
    Take(row, ReadRecord(record, format_, row, &problems_));
  }

  void Take(std::size_t row, std::optional<Draft> draft) {
    if (!draft.has_value()) return;
    const std::size_t left_out = draft->locality_left_out;
    auto fact = CheckDraft(*std::move(draft), row, &problems_);
    if (!fact.has_value()) return;
    file_.facts.push_back(*std::move(fact));
    file_.locality_left_out += left_out;
  }

  Status ReadCsv(std::string_view text) {
    CsvReader reader(text);
    EMEND_ASSIGN_OR_RETURN(std::vector<std::string> header, reader.Next());
    EMEND_RETURN_IF_ERROR(CheckHeader(&header));
    while (true) {
      EMEND_ASSIGN_OR_RETURN(const std::vector<std::string> cells, reader.Next());
      if (cells.empty()) return OkStatus();
      if (++file_.rows > kFactRowsMax)
        return ResourceExhausted("has more than " + std::to_string(kFactRowsMax) + " rows");
      if (Selects(file_.rows)) Take(file_.rows, ReadCsvRow(header, cells, file_.rows, &problems_));
    }
  }

  static Status CheckHeader(std::vector<std::string>* header) {
    for (std::string& name : *header) {
      name = std::string(Trim(name));
      if (!IsPlainField(name)) {
        return BadFile("the header row has the column " + ProblemList::Quote(name) +
                       "; the columns are " + std::string(kPlainFields));
      }
      if (std::count(header->begin(), header->end(), name) > 1)
        return BadFile("the header row has the column " + ProblemList::Quote(name) + " twice");
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
  if (const auto offset = FirstInvalidUtf8(bytes)) {
    const auto line =
        1 + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(*offset), '\n');
    return BadFile("is not UTF-8 at byte " + std::to_string(*offset) + ", line " +
                   std::to_string(line));
  }
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
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
  return InvalidArgument(ProblemList::Quote(name) + " is no form of a fact file; the forms are " +
                         names);
}

Result<FactFile> ParseFactFile(std::string_view bytes, std::string_view file_name,
                               const ParseOptions& options) {
  Result<FactFile> file = Parse(bytes, options);
  if (!file.ok()) return file.status().WithContext(file_name);
  return file;
}

}  // namespace emend::api::facts
