#include "worker/protocol/memit_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

namespace emend::worker::protocol {
namespace {

Status BadSetting(std::string message) {
  return {StatusCode::kInvalidArgument, "bad_setting", std::move(message)};
}

struct NumberRange {
  double min = 0;
  double max = 0;
};

// A setting that is one number; layers and templates are not among them.
struct NumberSetting {
  std::string_view name;
  double MemitSettings::* field;
  NumberRange range;  // inclusive
};

constexpr std::array<NumberSetting, 7> kNumbers = {{
    {"clamp_norm_factor", &MemitSettings::clamp_norm_factor, {1e-6, 1e6}},
    {"kl_factor", &MemitSettings::kl_factor, {0, 1e6}},
    {"loss_stop", &MemitSettings::loss_stop, {0, 1e6}},
    {"mom2_update_weight", &MemitSettings::mom2_update_weight, {1e-9, 1e12}},
    {"ridge", &MemitSettings::ridge, {0, 1e6}},
    {"v_lr", &MemitSettings::v_lr, {1e-9, 1e6}},
    {"v_weight_decay", &MemitSettings::v_weight_decay, {0, 1e6}},
}};
constexpr std::int64_t kStepsMax = 10000;
constexpr std::string_view kKnown =
    "layers, v_lr, v_num_grad_steps, v_weight_decay, clamp_norm_factor, kl_factor, "
    "mom2_update_weight, ridge, loss_stop, seed (context_templates are given as "
    "a "
    "file)";

// kConstants of the published configurations: the band of layers by depth.
struct Band {
  std::int64_t depth;
  std::int32_t first;
  std::int32_t last;
};
constexpr std::array<Band, 3> kPublishedBands = {{{28, 4, 8}, {32, 4, 8}, {48, 13, 17}}};
constexpr std::int64_t kShallowDepthMax = 12;

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Status CheckNumber(const NumberSetting& setting, double value) {
  if (std::isfinite(value) && value >= setting.range.min && value <= setting.range.max)
    return OkStatus();
  return BadSetting("setting " + std::string(setting.name) + ": found " + std::to_string(value) +
                    ", expected " + std::to_string(setting.range.min) + " to " +
                    std::to_string(setting.range.max));
}

Status CheckSteps(std::int64_t steps) {
  if (steps >= 1 && steps <= kStepsMax) return OkStatus();
  return BadSetting("setting v_num_grad_steps: found " + std::to_string(steps) +
                    ", expected 1 to " + std::to_string(kStepsMax));
}

Status CheckLayers(const std::vector<LayerIndex>& layers) {
  if (layers.empty())
    return BadSetting("setting layers: found none, expected at least one, such as 4,5,6");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].value() < 0)
      return BadSetting("setting layers: found " + std::to_string(layers[i].value()) +
                        ", expected 0 or more");
    if (i > 0 && layers[i] <= layers[i - 1])
      return BadSetting("setting layers: expected ascending layers, each once, such as 4,5,6");
  }
  return OkStatus();
}

Result<std::vector<LayerIndex>> ParseLayers(std::string_view text) {
  std::vector<LayerIndex> layers;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::int32_t layer = 0;
    if (!ParseNumber(text.substr(begin, end - begin), layer)) {
      return BadSetting("setting layers: found \"" + std::string(text) +
                        "\", expected numbers with commas between them, such as 4,5,6");
    }
    layers.emplace_back(layer);
    begin = end + 1;
  }
  EMEND_RETURN_IF_ERROR(CheckLayers(layers));
  return layers;
}

std::size_t CountSlots(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = text.find("{}"); at != std::string_view::npos; at = text.find("{}", at + 2))
    ++count;
  return count;
}

Status CheckTemplates(const std::vector<std::vector<std::string>>& groups) {
  if (groups.empty() || groups[0] != std::vector<std::string>{"{}"}) {
    return BadSetting(
        "setting context_templates: the first group must hold the bare \"{}\" and nothing else");
  }
  for (std::size_t group = 0; group < groups.size(); ++group) {
    if (groups[group].empty())
      return BadSetting("setting context_templates: group " + std::to_string(group) + " is empty");
    for (const std::string& text : groups[group]) {
      if (CountSlots(text) != 1) {
        return BadSetting("setting context_templates: \"" + text + "\" in group " +
                          std::to_string(group) + " holds " + std::to_string(CountSlots(text)) +
                          " places \"{}\" for the prompt, expected one");
      }
    }
  }
  return OkStatus();
}

std::vector<LayerIndex> DefaultLayers(std::int64_t depth) {
  Band band{depth, 0, static_cast<std::int32_t>(std::lround(0.27 * static_cast<double>(depth)))};
  band.first = std::max(0, band.last - 4);
  for (const Band& published : kPublishedBands) {
    if (published.depth == depth) band = published;
  }
  std::vector<LayerIndex> layers;
  for (std::int32_t layer = band.first; layer <= band.last; ++layer) layers.emplace_back(layer);
  return layers;
}

}  // namespace

MemitSettings DefaultSettings(std::int64_t layer_count) {
  MemitSettings settings;
  settings.layers = DefaultLayers(layer_count);
  settings.context_templates = {{"{}"}};
  if (layer_count > kShallowDepthMax) return settings;
  settings.clamp_norm_factor = 1.0;
  settings.v_weight_decay = 0.05;
  settings.mom2_update_weight = 300;
  return settings;
}

std::vector<std::string> TemplatePrefixes() { return {"The", "Therefore", "Because", "I", "You"}; }

std::vector<std::vector<std::string>> TemplatesFrom(const std::vector<std::string>& texts) {
  std::vector<std::vector<std::string>> groups = {{"{}"}};
  if (!texts.empty()) groups.emplace_back();
  for (std::string text : texts) {
    std::erase_if(text, [](char c) { return c == '{' || c == '}'; });
    std::ranges::replace(text, '\n', ' ');
    groups.back().push_back(text + ". {}");
  }
  return groups;
}

Status ApplySetting(MemitSettings& settings, std::string_view key, std::string_view value) {
  if (key == "layers") {
    EMEND_ASSIGN_OR_RETURN(settings.layers, ParseLayers(value));
    return OkStatus();
  }
  if (key == "seed") {
    if (!ParseNumber(value, settings.seed))
      return BadSetting("setting seed: found \"" + std::string(value) +
                        "\", expected a whole number of at least 0");
    return OkStatus();
  }
  if (key == "v_num_grad_steps") {
    std::int64_t steps = 0;
    if (!ParseNumber(value, steps))
      return BadSetting("setting v_num_grad_steps: found \"" + std::string(value) +
                        "\", expected a whole number");
    EMEND_RETURN_IF_ERROR(CheckSteps(steps));
    settings.v_num_grad_steps = steps;
    return OkStatus();
  }
  const auto setting = std::find_if(kNumbers.begin(), kNumbers.end(),
                                    [&](const NumberSetting& known) { return known.name == key; });
  if (setting == kNumbers.end()) {
    return {StatusCode::kInvalidArgument, "unknown_setting",
            "setting \"" + std::string(key) + "\" is not known; known are " + std::string(kKnown)};
  }
  double number = 0;
  if (!ParseNumber(value, number))
    return BadSetting("setting " + std::string(key) + ": found \"" + std::string(value) +
                      "\", expected a number");
  EMEND_RETURN_IF_ERROR(CheckNumber(*setting, number));
  settings.*(setting->field) = number;
  return OkStatus();
}

Status SetContextTemplates(MemitSettings& settings, std::vector<std::vector<std::string>> groups) {
  EMEND_RETURN_IF_ERROR(CheckTemplates(groups));
  settings.context_templates = std::move(groups);
  return OkStatus();
}

Status CheckSettings(const MemitSettings& settings, std::int64_t layer_count) {
  EMEND_RETURN_IF_ERROR(CheckLayers(settings.layers));
  if (settings.layers.back().value() >= layer_count) {
    return BadSetting("setting layers: found " + std::to_string(settings.layers.back().value()) +
                      ", but the model's last layer is " + std::to_string(layer_count - 1));
  }
  EMEND_RETURN_IF_ERROR(CheckSteps(settings.v_num_grad_steps));
  for (const NumberSetting& setting : kNumbers)
    EMEND_RETURN_IF_ERROR(CheckNumber(setting, settings.*(setting.field)));
  return CheckTemplates(settings.context_templates);
}

}  // namespace emend::worker::protocol
