#include "api/cli/tries.h"

#include <vector>

#include "api/cli/text.h"

namespace emend::api::cli {
namespace {

// "9-13" of "9,10,11,12,13": layers that tuning tries are consecutive.
std::string ShownSetting(const std::string& name, const Json& value) {
  const std::string text = value.get<std::string>();
  const std::size_t first = text.find(','), last = text.rfind(',');
  if (name != "layers" || first == std::string::npos) return text;
  return text.substr(0, first) + "-" + text.substr(last + 1);
}

std::string Shown(const Json& measured, int digits) {
  return measured.is_number() ? Fixed(measured.get<double>(), digits) : "-";
}

}  // namespace

std::string RenderSettings(const Json& settings) {
  std::string text;
  for (const auto& [name, value] : settings.items())
    text += (text.empty() ? "" : " ") + name + "=" + ShownSetting(name, value);
  return text;
}

std::string RenderTries(const Json& result) {
  std::vector<std::vector<std::string>> rows = {{"", "TRY"}};
  const Json& tries = result["tries"];
  for (const auto& [name, value] : tries.front()["settings"].items()) rows[0].push_back(name);
  for (const char* title : {"ES", "PS", "TAKEN", "KEPT", "PERPLEXITY", "MEAN", "TOOK"})
    rows[0].emplace_back(title);
  for (std::size_t i = 0; i < tries.size(); ++i) {
    const Json& made = tries[i];
    std::vector<std::string>& row = rows.emplace_back();
    row = {i + 1 == result["chosen"] ? "*" : "", std::to_string(i + 1)};
    for (const auto& [name, value] : made["settings"].items())
      row.push_back(ShownSetting(name, value));
    row.insert(row.end(),
               {Shown(made["es"], 1), Shown(made["ps"], 1),
                made["taken"].dump() + "/" + result["n"].dump(), Shown(made["kept"], 1),
                Shown(made["perplexity_before"], 1) + " -> " + Shown(made["perplexity_after"], 1),
                Shown(made["mean"], 1), RenderSeconds(NumberOf(made, "seconds"))});
  }
  return RenderTable(rows);
}

}  // namespace emend::api::cli
