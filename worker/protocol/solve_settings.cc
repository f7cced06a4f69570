#include "worker/protocol/solve_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <type_traits>

#include "storage/base/utf8.h"
#include "storage/text/slot.h"

namespace emend::worker::protocol {
namespace {

using S = SolveSettings;

constexpr double kStepsMax = 10000;
constexpr std::array<Setting, 16> kSettings = {{
    {"layers", "the layers that are edited, the last one being where targets are found",
     &S::layers},
    {"v_lr", "step of the optimisation of a target; ultraedit: of the one step", &S::v_lr, 1e-9,
     1e6},
    {"v_num_grad_steps", "steps for a target at most", &S::v_num_grad_steps, 1, kStepsMax},
    {"v_weight_decay", "weight of a target's distance, ‖δ‖/‖z0‖²", &S::v_weight_decay, 0, 1e6},
    {"clamp_norm_factor", "a target's distance at most, in ‖z0‖", &S::clamp_norm_factor, 1e-6, 1e6},
    {"kl_factor", "weight of what the subject is said to be staying as it is", &S::kl_factor, 0,
     1e6},
    {"mom2_update_weight",
     "λ: weight of the statistics against the edits; auto: from how far the batch's keys stand out",
     &S::mom2_update_weight, 0, 1e12, "auto"},
    {"ridge", "times tr(C)/d_ff, added to the diagonal of C before λ", &S::ridge, 0, 1e6},
    {"nullspace_threshold",
     "alphaedit: times tr(C)/d_ff, what of C is below it counts as nothing and may be changed",
     &S::nullspace_threshold, 1e-12, 1e12},
    {"past_keys", "1: a solve leaves alone what the branch's edits are keyed by; 0: as published",
     &S::past_keys, 0, 1},
    {"v_keep_norm", "1: a target is as long as what the unedited model has in its place",
     &S::v_keep_norm, 0, 1},
    {"own_targets",
     "1: each layer has targets of its own and gets all of their residual; 0: shares of the last's",
     &S::own_targets, 0, 1},
    {"v_bf16", "1: targets are found with bf16 products, where the device has them; 0: in fp32",
     &S::v_bf16, 0, 1},
    {"loss_stop", "a target whose loss is below it is done", &S::loss_stop, 0, 1e6},
    {"chat_contexts", "1: a chat model hears the fact behind its template, too; 0: as published",
     &S::chat_contexts, 0, 1},
    {"seed", "of the context templates that the model makes up", &S::seed},
}};

// kConstants of the published configurations: the band of layers by depth.
struct Band {
  std::int64_t depth;
  std::int32_t first;
  std::int32_t last;
};
constexpr std::array<Band, 3> kPublishedBands = {{{28, 4, 8}, {32, 4, 8}, {48, 13, 17}}};
constexpr std::int64_t kShallowDepthMax = 12;

// Deep models take the paper's values for GPT-J; shallow ones what was measured on the demo model.
void SetMemitDefaults(SolveSettings& settings, std::int64_t layer_count) {
  if (layer_count > kShallowDepthMax) return;
  settings.clamp_norm_factor = 1.0;
  settings.v_weight_decay = 0.05;
}

// One layer gets all of the residual: the middle one of the band, which is GPT-J's in the published
// configurations (5 of 3 to 8). Nothing is held of earlier edits, as published.
void SetOneLayer(SolveSettings& settings, std::int64_t layer_count) {
  SetMemitDefaults(settings, layer_count);
  settings.layers = {settings.layers[(settings.layers.size() - 1) / 2]};
  settings.past_keys = 0;
}

// MEMIT's form is C'⁻¹K·(KᵀC'⁻¹K + λI)⁻¹·Rᵀ: EMMET's with the published λ, and ROME's equality with
// one that is nothing beside KᵀC'⁻¹K (thousands) but more than what fp64 loses of it.
void SetEmmetDefaults(SolveSettings& settings, std::int64_t layer_count) {
  SetOneLayer(settings, layer_count);
  settings.mom2_update_weight = 0.1;
}
void SetRomeDefaults(SolveSettings& settings, std::int64_t layer_count) {
  SetOneLayer(settings, layer_count);
  settings.mom2_update_weight = 1e-6;
}

void SetBlueDefaults(SolveSettings& settings, std::int64_t layer_count) {
  SetMemitDefaults(settings, layer_count);
  if (settings.layers.size() > 2)
    settings.layers = {settings.layers.front(), settings.layers.back()};
  settings.own_targets = 1;
}

void SetNasDefaults(SolveSettings& settings, std::int64_t layer_count) {
  SetMemitDefaults(settings, layer_count);
  settings.v_keep_norm = 1;
}

// Later layers than targets are looked for in, λ as published; the step is what was best on the two
// models measured (docs/notes/edit-maths.md).
void SetUltraEditDefaults(SolveSettings& settings, std::int64_t layer_count) {
  const auto depth = static_cast<double>(layer_count);
  const auto end = std::max<std::int64_t>(1, std::llround(0.96 * depth));
  settings.layers.clear();
  for (std::int64_t layer = std::min<std::int64_t>(end - 1, std::llround(0.64 * depth));
       layer < end; ++layer)
    settings.layers.emplace_back(static_cast<std::int32_t>(layer));
  settings.v_lr = layer_count > kShallowDepthMax ? 3e-4 : 1e-3;
  settings.mom2_update_weight = 1;
  settings.past_keys = 0;
}

constexpr std::array<SolveMethod, 7> kMethods = {{
    {"memit", "a batch spread over a band of layers, against the covariance of keys",
     "Meng et al. 2022, algorithm 1 and equation 14", SetMemitDefaults},
    {"emmet", "one layer gives each fact of a batch nearly all of its residual",
     "Gupta et al. 2024, \"A Unified Framework for Model Editing\"", SetEmmetDefaults},
    {"rome", "one layer gives each fact all of its residual, by one mean key throughout (r-ROME)",
     "Meng et al. 2022, \"Locating and Editing Factual Associations\"; Gupta et al. 2024, "
     "\"Rebuilding ROME\"",
     SetRomeDefaults},
    {"alphaedit", "as memit, but only where the covariance of keys has next to nothing",
     "Fang et al. 2024, closed form with earlier keys", SetMemitDefaults},
    {"blue", "the first and the last layer of the band, each with targets of its own",
     "Li et al. 2025, \"Rethinking Residual Distribution in Locate-then-Edit Model Editing\"",
     SetBlueDefaults},
    {"nas", "as memit, with targets that are as long as what the unedited model has there",
     "after Liu et al. 2026, \"Norm Anchors Make Model Edits Last\"", SetNasDefaults},
    {"ultraedit", "one step against the gradient of the answers: fast, no statistics, no targets",
     "Gu et al. 2025, \"UltraEdit: Training-, Subject-, and Memory-Free Lifelong Editing\"",
     SetUltraEditDefaults, Finds::kGradients},
}};

template <typename Rows>
std::string NamesOf(const Rows& rows) {
  std::string names;
  for (const auto& row : rows) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

Status BadSetting(std::string_view name, const std::string& what) {
  return {StatusCode::kInvalidArgument, "bad_setting",
          "setting " + std::string(name) + ": " + what};
}

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

template <typename Number>
std::string ShortestText(Number number) {
  std::array<char, 64> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr};
}

std::string Text(double value) { return ShortestText(value); }
std::string Text(std::int64_t value) { return ShortestText(value); }
std::string Text(std::uint64_t value) { return ShortestText(value); }
std::string Text(const std::vector<LayerIndex>& layers) {
  std::string text;
  for (const LayerIndex layer : layers)
    text += (text.empty() ? "" : ",") + ShortestText(layer.value());
  return text;
}

bool Parse(std::string_view text, double& value) { return ParseNumber(text, value); }
bool Parse(std::string_view text, std::int64_t& value) { return ParseNumber(text, value); }
bool Parse(std::string_view text, std::uint64_t& value) { return ParseNumber(text, value); }
bool Parse(std::string_view text, std::vector<LayerIndex>& layers) {
  layers.clear();
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::int32_t layer = 0;
    if (!ParseNumber(text.substr(begin, end - begin), layer)) return false;
    layers.emplace_back(layer);
    begin = end + 1;
  }
  return true;
}

std::string_view Expected(double) { return "a number"; }
std::string_view Expected(std::int64_t) { return "a whole number"; }
std::string_view Expected(std::uint64_t) { return "a whole number of at least 0"; }
std::string_view Expected(const std::vector<LayerIndex>&) {
  return "numbers with commas between them, such as 4,5,6";
}

Status Check(const Setting& setting, double value) {
  if (std::isfinite(value) && value >= setting.min && value <= setting.max) return OkStatus();
  return BadSetting(setting.name, "found " + Text(value) + ", expected " + Text(setting.min) +
                                      " to " + Text(setting.max));
}
Status Check(const Setting& setting, std::int64_t value) {
  return Check(setting, static_cast<double>(value));
}
Status Check(const Setting&, std::uint64_t) { return OkStatus(); }
Status Check(const Setting& setting, const std::vector<LayerIndex>& layers) {
  if (layers.empty())
    return BadSetting(setting.name, "found none, expected at least one, such as 4,5,6");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].value() < 0)
      return BadSetting(setting.name,
                        "found " + ShortestText(layers[i].value()) + ", expected 0 or more");
    if (i > 0 && layers[i] <= layers[i - 1])
      return BadSetting(setting.name, "expected ascending layers, each once, such as 4,5,6");
  }
  return OkStatus();
}

Status CheckTemplates(const std::vector<std::vector<std::string>>& groups) {
  constexpr std::string_view kName = "context_templates";
  if (groups.empty() || groups[0] != std::vector<std::string>{"{}"})
    return BadSetting(kName, "the first group must hold the bare \"{}\" and nothing else");
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const std::string where = "group " + std::to_string(group);
    if (groups[group].empty()) return BadSetting(kName, where + " is empty");
    for (const std::string& text : groups[group]) {
      if (const std::size_t slots = storage::text::CountSlots(text); slots != 1)
        return BadSetting(kName, "\"" + Shortened(text) + "\" in " + where + " holds " +
                                     std::to_string(slots) +
                                     " places \"{}\" for the prompt, expected one");
    }
  }
  return OkStatus();
}

}  // namespace

std::span<const Setting> Settings() { return kSettings; }
std::span<const SolveMethod> SolveMethods() { return kMethods; }

std::string TextOf(const SolveSettings& settings, const Setting& setting) {
  std::string text = std::visit([&](auto field) { return Text(settings.*field); }, setting.field);
  return text == "0" && !setting.zero.empty() ? std::string(setting.zero) : text;
}

bool FindsTargets(std::string_view method) {
  const auto found = std::ranges::find(kMethods, method, &SolveMethod::name);
  return found == kMethods.end() || found->finds == Finds::kTargets;
}

Status CheckMethod(std::string_view method) {
  if (std::ranges::find(kMethods, method, &SolveMethod::name) != kMethods.end()) return OkStatus();
  return {StatusCode::kUnsupported, "unknown_method",
          "solving by the method \"" + Shortened(method) + "\": known are " + NamesOf(kMethods)};
}

std::vector<LayerIndex> DefaultLayers(std::int64_t layer_count) {
  const double depth = static_cast<double>(layer_count);
  Band band{layer_count, 0, static_cast<std::int32_t>(std::lround(0.27 * depth))};
  band.first = std::max(0, band.last - 4);
  for (const Band& published : kPublishedBands) {
    if (published.depth == layer_count) band = published;
  }
  std::vector<LayerIndex> layers;
  for (std::int32_t layer = band.first; layer <= band.last; ++layer) layers.emplace_back(layer);
  return layers;
}

Result<SolveSettings> DefaultSettings(std::string_view method, std::int64_t layer_count) {
  EMEND_RETURN_IF_ERROR(CheckMethod(method));
  SolveSettings settings;
  settings.method = method;
  settings.layers = DefaultLayers(layer_count);
  settings.context_templates = {{"{}"}};
  std::ranges::find(kMethods, method, &SolveMethod::name)->set_defaults(settings, layer_count);
  return settings;
}

Status ApplySetting(SolveSettings& settings, std::string_view key, std::string_view value) {
  const auto setting = std::ranges::find(kSettings, key, &Setting::name);
  if (setting == kSettings.end()) {
    return {StatusCode::kInvalidArgument, "unknown_setting",
            "setting \"" + Shortened(key) + "\" is not known; known are " + NamesOf(kSettings) +
                " (context_templates are given as a file)"};
  }
  const bool is_zero = !setting->zero.empty() && value == setting->zero;
  const auto apply = [&](auto field) -> Status {
    std::remove_reference_t<decltype(settings.*field)> parsed{};
    if (!Parse(is_zero ? "0" : value, parsed))
      return BadSetting(
          key, "found \"" + Shortened(value) + "\", expected " + std::string(Expected(parsed)));
    EMEND_RETURN_IF_ERROR(Check(*setting, parsed));
    settings.*field = std::move(parsed);
    return OkStatus();
  };
  return std::visit(apply, setting->field);
}

Status SetContextTemplates(SolveSettings& settings, std::vector<std::vector<std::string>> groups) {
  EMEND_RETURN_IF_ERROR(CheckTemplates(groups));
  settings.context_templates = std::move(groups);
  return OkStatus();
}

Status CheckSettings(const SolveSettings& settings, std::int64_t layer_count) {
  EMEND_RETURN_IF_ERROR(CheckMethod(settings.method));
  for (const Setting& setting : kSettings) {
    EMEND_RETURN_IF_ERROR(
        std::visit([&](auto field) { return Check(setting, settings.*field); }, setting.field));
  }
  if (settings.layers.back().value() >= layer_count)
    return BadSetting("layers", "found " + ShortestText(settings.layers.back().value()) +
                                    ", but the model's last layer is " +
                                    std::to_string(layer_count - 1));
  return CheckTemplates(settings.context_templates);
}

Result<SolveSettings> ResolveSettings(const SettingsRequest& request, std::int64_t layer_count) {
  EMEND_ASSIGN_OR_RETURN(SolveSettings settings, DefaultSettings(request.method, layer_count));
  for (const auto& [key, value] : request.values)
    EMEND_RETURN_IF_ERROR(ApplySetting(settings, key, value));
  if (!request.context_templates.empty())
    EMEND_RETURN_IF_ERROR(SetContextTemplates(settings, request.context_templates));
  EMEND_RETURN_IF_ERROR(CheckSettings(settings, layer_count));
  return settings;
}

std::vector<std::string> TemplatePrefixes() { return {"The", "Therefore", "Because", "I", "You"}; }

std::vector<std::vector<std::string>> TemplatesFrom(const std::vector<std::string>& texts,
                                                    const std::vector<std::string>& contexts) {
  std::vector<std::vector<std::string>> groups = {{"{}"}};
  if (!texts.empty()) groups.emplace_back();
  for (std::string text : texts) {
    std::erase_if(text, [](char c) { return c == '{' || c == '}'; });
    std::ranges::replace(text, '\n', ' ');
    groups.back().push_back(text + ". {}");
  }
  if (!contexts.empty()) groups.push_back(contexts);
  return groups;
}

}  // namespace emend::worker::protocol
