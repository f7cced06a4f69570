#include "api/cli/solve_options.h"

#include <algorithm>

#include "api/cli/commits.h"
#include "api/cli/evidence.h"
#include "api/cli/files.h"
#include "api/cli/scores.h"
#include "api/cli/text.h"

namespace emend::api::cli {
namespace {

// "key=value" each; context_templates names a file that is read here.
Status ReadSettings(const std::vector<std::string>& words, Json& body) {
  Json settings = Json::object();
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      return InvalidArgument("reading --set " + word + ": expected key=value, such as v_lr=0.5");
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    if (key == "context_templates") {
      EMEND_ASSIGN_OR_RETURN(body["context_templates"], LoadContextTemplates(value));
    } else {
      settings[key] = value;
    }
  }
  if (!settings.empty()) body["settings"] = std::move(settings);
  return OkStatus();
}

std::string RenderPhases(const Json& seconds) {
  std::string line;
  if (!seconds.is_object()) return line;
  for (const auto& [name, value] : seconds.items()) {
    if (value.is_number())
      line += (line.empty() ? "" : ", ") + name + " " + RenderSeconds(value.get<double>());
  }
  return line;
}

}  // namespace

void AddSolveArguments(Arguments& arguments, SolveOptions& options) {
  arguments.Add(
      {.names = "--set",
       .value = "KEY=VALUE",
       .help = "a setting, by the published name (emend help settings), or context_templates=FILE",
       .into = &options.settings});
  arguments.Add({.names = "--require",
                 .value = "NAME=PERCENT,...",
                 .help = "commit nothing below it: es, ps, ns, score, kept, taken",
                 .into = &options.required});
}

Status ReadRequired(const std::string& text, Json& body) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
      return InvalidArgument("reading --require " + text +
                             ": expected name=percent with commas between, such as es=95,taken=90");
    body["require"][word.substr(0, equals)] = word.substr(equals + 1);
    begin = end + 1;
  }
  return OkStatus();
}

Status ReadSolveOptions(const SolveOptions& options, Json& body) {
  EMEND_RETURN_IF_ERROR(ReadSettings(options.settings, body));
  return ReadRequired(options.required, body);
}

std::string RenderSolved(const Json& result) {
  std::string lines = RenderPhases(result.value("seconds", Json())) + "\n";
  if (const Json statistics = result.value("statistics", Json()); statistics.is_object())
    lines += "solved with statistics over " + std::to_string(CountOf(statistics, "tokens")) +
             " tokens\n";
  const Json evaluation = result.value("evaluation", Json());
  if (evaluation.is_object())
    lines += RenderScores({{"before", evaluation.value("before", Json())},
                           {"after", evaluation.value("after", Json())}}) +
             RenderUnmeasured(evaluation.value("after", Json()), result);
  return lines + RenderEvidence(result) + RenderLayers(result) + RenderNotTaken(result);
}

}  // namespace emend::api::cli
