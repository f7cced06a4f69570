#include "api/cli/fact_input.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "api/cli/files.h"
#include "storage/facts/fact_json.h"

namespace emend::api::cli {
namespace {

constexpr std::string_view kPointer = "/facts/";
constexpr std::size_t kProblemsShownMax = 20;

std::string Plural(std::size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

std::string Describe(const facts::RowProblem& problem) {
  return "row " + std::to_string(problem.row) + (problem.field.empty() ? "" : ", ") +
         problem.field + ": " + problem.message;
}

std::size_t RowsOf(const std::vector<facts::RowProblem>& problems) {
  std::set<std::size_t> rows;
  for (const facts::RowProblem& problem : problems) rows.insert(problem.row);
  return rows.size();
}

}  // namespace

void AddFactArguments(Arguments& arguments, FactSelection& facts, Presence file) {
  arguments.Add({.names = "-F,--file",
                 .value = "FILE",
                 .help = "file of facts: CounterFact, zsRE, KnowEdit, CSV, JSON lines; - is "
                         "standard input",
                 .required = file == Presence::kRequired,
                 .kind = ValueKind::kFile,
                 .into = &facts.file});
  arguments.Add({.names = "--limit",
                 .value = "N",
                 .help = "take at most N rows",
                 .range = Range{1, kCountMax},
                 .into = &facts.limit});
  arguments.Add({.names = "--offset",
                 .value = "N",
                 .help = "pass over N rows first",
                 .range = Range{0, kCountMax},
                 .into = &facts.offset});
  arguments.Add({.names = "--skip-bad-rows",
                 .help = "leave rows out that are wrong, and list them",
                 .into = &facts.skip_bad_rows});
}

Result<FactInput> FactInput::Load(const FactSelection& selection) {
  EMEND_ASSIGN_OR_RETURN(const std::string bytes, ReadInput(selection.file));
  facts::ParseOptions options;
  options.offset = selection.offset;
  if (selection.limit) options.limit = *selection.limit;
  if (selection.skip_bad_rows) options.on_error = facts::OnBadRow::kSkipRow;
  Result<facts::FactFile> file = facts::ParseFactFile(bytes, selection.file, options);
  if (file.status().slug() == "bad_facts") {
    return Status(file.status().code(), file.status().slug(),
                  file.status().message() + "; --skip-bad-rows takes the other rows");
  }
  if (!file.ok()) return file.status();
  if (file->facts.empty()) {
    return Status(StatusCode::kInvalidArgument, "bad_facts",
                  selection.file + ": every row is bad: " + Describe(file->problems.front()));
  }
  Json list = Json::parse(storage::facts::FactsToJson(file->facts));
  return FactInput(*std::move(file), std::move(list));
}

Status FactInput::InRows(const Status& status) const {
  if (status.ok()) return status;
  std::string message = status.message();
  for (std::size_t at = message.find(kPointer); at != std::string::npos;
       at = message.find(kPointer, at + 1)) {
    const char* const digits = message.data() + at + kPointer.size();
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(digits, message.data() + message.size(), index);
    if (error != std::errc() || index >= file_.fact_rows.size()) continue;
    std::string name = "row " + std::to_string(file_.fact_rows[index]);
    if (*end == '/') name += ", ";
    const std::size_t begin = message.substr(0, at).ends_with("at ") ? at - 3 : at;
    const auto after = static_cast<std::size_t>(end - message.data()) + (*end == '/' ? 1 : 0);
    message.replace(begin, after - begin, name);
    at = begin;
  }
  return {status.code(), status.slug(), message};
}

Json FactInput::WithRows(Json result) const {
  for (const char* const list : {"/facts", "/neighbour_targets/neighbours"}) {
    const Json::json_pointer place_of_list(list);
    if (!result.contains(place_of_list) || !result[place_of_list].is_array()) continue;
    for (Json& said : result[place_of_list]) {
      const Json row = said.value("row", Json());
      const std::size_t place = row.is_number_integer() ? row.get<std::size_t>() : 0;
      if (place >= 1 && place <= file_.fact_rows.size()) said["row"] = file_.fact_rows[place - 1];
    }
  }
  if (file_.problem_count > 0) {
    Json problems = Json::array();
    for (const facts::RowProblem& problem : file_.problems)
      problems.push_back(
          {{"row", problem.row}, {"field", problem.field}, {"message", problem.message}});
    result["rows_skipped"] = {{"rows", RowsOf(file_.problems)}, {"problems", std::move(problems)}};
  }
  if (!file_.left_out.empty()) {
    Json reasons = Json::array();
    for (const auto& [reason, count] : file_.left_out)
      reasons.push_back({{"reason", reason}, {"count", count}});
    result["left_out"] = std::move(reasons);
  }
  if (file_.neighbours_without_old_target > 0)
    result["neighbours_without_old_target"] = file_.neighbours_without_old_target;
  return result;
}

std::string FactInput::Text() const {
  std::string text;
  if (file_.problem_count > 0) text += Plural(RowsOf(file_.problems), "bad row") + " skipped:\n";
  for (std::size_t i = 0; i < std::min(file_.problems.size(), kProblemsShownMax); ++i)
    text += "  " + Describe(file_.problems[i]) + "\n";
  if (file_.problem_count > kProblemsShownMax)
    text += "  and " + Plural(file_.problem_count - kProblemsShownMax, "more problem") + "\n";
  for (const auto& [reason, count] : file_.left_out)
    text += std::to_string(count) + " " + reason + ": left out\n";
  if (file_.neighbours_without_old_target > 0) {
    text +=
        Plural(file_.neighbours_without_old_target, "neighbour") +
        " without a target, of facts without an old_target, with which NS compares: not in NS\n";
  }
  return text;
}

}  // namespace emend::api::cli
