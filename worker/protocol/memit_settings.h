// The settings of a MEMIT batch, by the names of the published code, and how text sets them.
//
//   MemitSettings settings = DefaultSettings(/*layer_count=*/6);
//   // from --set mom2_update_weight=300
//   EMEND_RETURN_IF_ERROR(ApplySetting(settings, "mom2_update_weight", "300"));
//   EMEND_RETURN_IF_ERROR(SetContextTemplates(settings, {{"{}"}, {"I have read about it. {}"}}));
//
// Defaults: deep models (more than 12 layers) take the paper's GPT-J values and a band of five
// layers that ends near a quarter of the depth (4 to 8 of 28 and 32 layers, 13 to 17 of 48);
// shallow ones take what was measured on the demo model atlas: the first half, weight 300, clamp 1,
// decay 0.05. Values; thread-safe as such. No libtorch here. Names and defaults: Meng et al.,
// "Mass-Editing Memory in a Transformer" (2022), section 5 and appendix B.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"

namespace emend::worker::protocol {

struct MemitSettings {
  std::vector<LayerIndex> layers;  // ascending; the last one is where targets are optimised
  double v_lr = 0.5;               // Adam's step for a target
  std::int64_t v_num_grad_steps = 25;
  double v_weight_decay = 0.5;      // times ‖δ‖ / ‖z0‖²
  double clamp_norm_factor = 0.75;  // ‖δ‖ at most this many ‖z0‖
  double kl_factor = 0.0625;
  double mom2_update_weight = 15000;  // λ: how much the covariance of old keys weighs
  double ridge = 1e-2;                // times tr(C)/d_ff, added to the diagonal of C before λ
  double loss_stop = 0.05;            // a target whose loss is below it is done
  std::uint64_t seed = 0;             // of the sampled context templates
  // Groups of texts with one "{}" each, where the fact's prompt goes. The first group is the bare
  // {"{}"}. A key is the mean over groups of the groups' means.
  std::vector<std::vector<std::string>> context_templates;
};

// Defaults for a model of this depth, with the bare template alone.
MemitSettings DefaultSettings(std::int64_t layer_count);

// How the published code takes its templates: the bare prompt, and behind texts that the model
// makes up, one for each of these beginnings.
inline constexpr std::int32_t kTemplateTokens = 10;
inline constexpr std::int32_t kTemplateTopK = 5;
std::vector<std::string> TemplatePrefixes();
// Templates of such texts: each on one line and without braces, then ". {}".
std::vector<std::vector<std::string>> TemplatesFrom(const std::vector<std::string>& texts);

// Sets one value from its text; layers as "4,5,6". kInvalidArgument for an unknown key (slug
// "unknown_setting", lists the known ones) or a value that does not parse or is out of range (slug
// "bad_setting"); `settings` is then unchanged.
Status ApplySetting(MemitSettings& settings, std::string_view key, std::string_view value);

// kInvalidArgument ("bad_setting") unless the first group is exactly the bare "{}", no group is
// empty, and every template holds one "{}".
Status SetContextTemplates(MemitSettings& settings, std::vector<std::vector<std::string>> groups);

// kInvalidArgument ("bad_setting") if a layer is outside the model or anything else is out of
// range; what solving checks first.
Status CheckSettings(const MemitSettings& settings, std::int64_t layer_count);

}  // namespace emend::worker::protocol
