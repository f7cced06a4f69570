// The settings of a solve: one table says their names, meaning, bounds and defaults, and what reads
// text, checks, encodes, writes JSON, and prints help goes by it.
//
//   EMEND_ASSIGN_OR_RETURN(SolveSettings settings, DefaultSettings("memit", /*layer_count=*/6));
//   // from --set mom2_update_weight=300
//   EMEND_RETURN_IF_ERROR(ApplySetting(settings, "mom2_update_weight", "300"));
//   EMEND_RETURN_IF_ERROR(SetContextTemplates(settings, {{"{}"}, {"I have read about it. {}"}}));
//
// The coordinator resolves them, once: the method's defaults for the model's depth, the repo's
// preset (coordinator/store/preset.h), then what the request sets. They travel whole, and what a
// commit records is what was solved; a worker defaults nothing. A new setting is a field, its place
// in Fields() and a row of Settings(); a new method is a row of SolveMethods() here and one of
// worker/edit/methods.cc. Values; thread-safe as such. No libtorch here. Names: Meng et al.,
// "Mass-Editing Memory in a Transformer" (2022), and its published code.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"
#include "worker/protocol/equal_fields.h"

namespace emend::worker::protocol {

struct SolveSettings {
  std::string method;              // a name of SolveMethods()
  std::vector<LayerIndex> layers;  // ascending; the last one is where targets are optimised
  double v_lr = 0.5;
  std::int64_t v_num_grad_steps = 25;
  double v_weight_decay = 0.5;
  double clamp_norm_factor = 0.75;
  double kl_factor = 0.0625;
  double mom2_update_weight = 0;  // 0: by the batch's own keys (worker/edit/memit.cc)
  double ridge = 1e-2;
  double nullspace_threshold = 1;  // of alphaedit, in mean eigenvalues of C
  std::int64_t past_keys = 1;      // 1: what the state's edits are keyed by keeps its outputs
  std::int64_t v_keep_norm = 0;    // 1: a target is as long as what the unedited model gives there
  std::int64_t own_targets = 0;    // 1: each layer has targets of its own and all their residual
  std::int64_t v_bf16 = 1;         // 1: targets are found with bf16 products, where they are native
  double loss_stop = 0.05;
  std::int64_t chat_contexts = 1;  // 1: the prompt as a user says it is among the contexts
  std::uint64_t seed = 0;
  // Groups of texts with one "{}" each, where the fact's prompt goes. The first group is the bare
  // {"{}"}. A key is the mean over groups of the groups' means.
  std::vector<std::vector<std::string>> context_templates;

  static auto Fields(auto& m) {
    return std::tie(m.method, m.layers, m.v_lr, m.v_num_grad_steps, m.v_weight_decay,
                    m.clamp_norm_factor, m.kl_factor, m.mom2_update_weight, m.ridge,
                    m.nullspace_threshold, m.past_keys, m.v_keep_norm, m.own_targets, m.v_bf16,
                    m.loss_stop, m.chat_contexts, m.seed, m.context_templates);
  }
};

// A setting that one text sets. Context templates are not among them: they are a list of lists.
struct Setting {
  using Field =
      std::variant<double SolveSettings::*, std::int64_t SolveSettings::*,
                   std::uint64_t SolveSettings::*, std::vector<LayerIndex> SolveSettings::*>;
  std::string_view name;
  std::string_view meaning;  // for help and for docs/reference/settings.md
  Field field;
  double min = 0;  // both inclusive; of numbers
  double max = 0;
  std::string_view zero = {};  // the word for 0, where that is no number: "auto"
};
std::span<const Setting> Settings();
// Its value as ApplySetting takes it: "0.5", "4,5,6", "auto".
std::string TextOf(const SolveSettings& settings, const Setting& setting);

// What a method looks for in the model before it solves: for each fact a vector that a layer should
// put out, which an edit keeps and a refit starts from; or how the answer's loss changes.
enum class Finds : std::uint8_t { kTargets, kGradients };

// How a batch is solved. What it does with a layer: worker/edit/methods.cc, under the same name.
struct SolveMethod {
  std::string_view name;     // "memit"
  std::string_view meaning;  // for help
  std::string_view source;   // paper and equations
  // The method's own defaults over those of SolveSettings, for a model of this depth.
  void (*set_defaults)(SolveSettings& settings, std::int64_t layer_count);
  Finds finds = Finds::kTargets;
};
std::span<const SolveMethod> SolveMethods();
// True of one that is not known.
bool FindsTargets(std::string_view method);

// kUnsupported ("unknown_method") lists the known ones.
Status CheckMethod(std::string_view method);
// The method's defaults for a model of this depth, with the bare template alone. kUnsupported as
// CheckMethod.
Result<SolveSettings> DefaultSettings(std::string_view method, std::int64_t layer_count);
// The layers that are edited where nobody says which: a band that ends near a quarter of the depth
// (4 to 8 of 28 and 32 layers, 13 to 17 of 48, as published; 0 to 2 of 6).
std::vector<LayerIndex> DefaultLayers(std::int64_t layer_count);

// Sets one value from its text; layers as "4,5,6". kInvalidArgument for an unknown key (slug
// "unknown_setting", lists the known ones) or a value that does not parse or is out of range (slug
// "bad_setting"); `settings` is then unchanged.
Status ApplySetting(SolveSettings& settings, std::string_view key, std::string_view value);

// kInvalidArgument ("bad_setting") unless the first group is exactly the bare "{}", no group is
// empty, and every template holds one "{}".
Status SetContextTemplates(SolveSettings& settings, std::vector<std::vector<std::string>> groups);

// kInvalidArgument ("bad_setting") if a layer is outside the model or anything else is out of
// range; kUnsupported as CheckMethod. What solving checks first.
Status CheckSettings(const SolveSettings& settings, std::int64_t layer_count);

// What a request says about its solve; all of it optional.
struct SettingsRequest {
  std::string method = "memit";
  std::vector<std::pair<std::string, std::string>> values;  // later ones win
  std::vector<std::vector<std::string>> context_templates;  // empty: the caller makes them up
};
// The defaults, then what the request sets, checked. Errors as the functions above.
Result<SolveSettings> ResolveSettings(const SettingsRequest& request, std::int64_t layer_count);

// How the published code takes its templates: the bare prompt, and after texts that the model makes
// up, one for each of these beginnings.
inline constexpr std::int32_t kTemplateTokens = 10;
inline constexpr std::int32_t kTemplateTopK = 5;
std::vector<std::string> TemplatePrefixes();
// Templates of such texts: each on one line and without braces, then ". {}"; and, as a group of
// their own, `contexts` as they are.
std::vector<std::vector<std::string>> TemplatesFrom(const std::vector<std::string>& texts,
                                                    const std::vector<std::string>& contexts = {});

}  // namespace emend::worker::protocol
