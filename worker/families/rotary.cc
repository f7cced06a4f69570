#include "worker/families/rotary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>

namespace emend::worker::families {
namespace {

struct Scaling {
  ConfigJson& rope;
  const RotaryDefaults& defaults;
  ModelConfig& config;
  RotaryPlan& plan;

  Result<std::int64_t> OriginalContext() const {
    return rope.Integer("original_max_position_embeddings",
                        defaults.original_context > 0 ? defaults.original_context : config.context);
  }
};

Status ScaleNothing(const Scaling& scaling) {
  scaling.rope.Harmless({"original_max_position_embeddings"});
  return scaling.rope.Neutral({{"attention_factor", "1"}, {"factor", "1"}});
}

// Longer texts than the context would turn more slowly; there are none.
Status ScaleDynamic(const Scaling& scaling) {
  EMEND_RETURN_IF_ERROR(scaling.rope.PositiveNumber("factor", {}).status());
  return ScaleNothing(scaling);
}

Status ScaleLinear(const Scaling& scaling) {
  EMEND_ASSIGN_OR_RETURN(const double factor, scaling.rope.PositiveNumber("factor", {}));
  for (float& frequency : scaling.plan.frequencies) frequency /= static_cast<float>(factor);
  return ScaleNothing(scaling);
}

Status ScaleLlama3(const Scaling& scaling) {
  Llama3Scaling stretch;
  EMEND_ASSIGN_OR_RETURN(stretch.factor, scaling.rope.PositiveNumber("factor", {}));
  EMEND_ASSIGN_OR_RETURN(stretch.low, scaling.rope.PositiveNumber("low_freq_factor", {}));
  EMEND_ASSIGN_OR_RETURN(stretch.high, scaling.rope.PositiveNumber("high_freq_factor", {}));
  EMEND_ASSIGN_OR_RETURN(const std::int64_t context, scaling.OriginalContext());
  stretch.original_context = static_cast<double>(context);
  if (stretch.high <= stretch.low)
    return scaling.rope.Bad("expected high_freq_factor above low_freq_factor");
  for (float& frequency : scaling.plan.frequencies)
    frequency = static_cast<float>(StretchedFrequency(frequency, stretch));
  return OkStatus();
}

double YarnMagnitude(double factor, double scale) {
  return factor <= 1 ? 1 : 0.1 * scale * std::log(factor) + 1;
}

Status ScaleYarn(const Scaling& scaling) {
  ConfigJson& rope = scaling.rope;
  EMEND_ASSIGN_OR_RETURN(const std::int64_t context, scaling.OriginalContext());
  EMEND_ASSIGN_OR_RETURN(const double factor,
                         rope.PositiveNumber("factor", static_cast<double>(scaling.config.context) /
                                                           static_cast<double>(context)));
  EMEND_ASSIGN_OR_RETURN(const double fast, rope.PositiveNumber("beta_fast", 32));
  EMEND_ASSIGN_OR_RETURN(const double slow, rope.PositiveNumber("beta_slow", 1));
  EMEND_ASSIGN_OR_RETURN(const double scale, rope.PositiveNumber("mscale", 0.0));
  EMEND_ASSIGN_OR_RETURN(const double all_scale, rope.PositiveNumber("mscale_all_dim", 0.0));
  EMEND_ASSIGN_OR_RETURN(const bool is_truncated, rope.Flag("truncate", true));
  const double inferred = scale > 0 && all_scale > 0
                              ? YarnMagnitude(factor, scale) / YarnMagnitude(factor, all_scale)
                              : YarnMagnitude(factor, 1);
  EMEND_ASSIGN_OR_RETURN(scaling.plan.magnitude, rope.PositiveNumber("attention_factor", inferred));
  // The pair whose wave the original context holds `turns` times (Peng et al. 2023, eq. 17).
  const auto pairs = static_cast<double>(scaling.plan.frequencies.size());
  const double base = -std::log(static_cast<double>(scaling.plan.frequencies.back())) /
                      (pairs - 1);  // ln θ / pairs
  const auto pair_of = [&](double turns) {
    return std::log(static_cast<double>(context) / (turns * 2 * std::numbers::pi)) / base;
  };
  double first = pair_of(fast), last = pair_of(slow);
  if (is_truncated) {
    first = std::floor(first);
    last = std::ceil(last);
  }
  first = std::max(first, 0.0);
  last = std::min(last, 2 * pairs - 1);
  if (last <= first) last = first + 0.001;
  for (std::size_t i = 0; i < scaling.plan.frequencies.size(); ++i) {
    float& frequency = scaling.plan.frequencies[i];
    const double stretched =
        std::clamp((static_cast<double>(i) - first) / (last - first), 0.0, 1.0);
    frequency = static_cast<float>(stretched * frequency / factor + (1 - stretched) * frequency);
  }
  return OkStatus();
}

Status ScaleLong(const Scaling& scaling) {
  ConfigJson& rope = scaling.rope;
  EMEND_ASSIGN_OR_RETURN(const std::int64_t context, scaling.OriginalContext());
  const double stretch = static_cast<double>(scaling.config.context) / static_cast<double>(context);
  EMEND_ASSIGN_OR_RETURN(const double factor, rope.PositiveNumber("factor", stretch));
  EMEND_ASSIGN_OR_RETURN(const std::vector<double> factors, rope.Numbers("short_factor"));
  rope.Harmless({"long_factor"});
  const double inferred =
      factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(static_cast<double>(context)));
  EMEND_ASSIGN_OR_RETURN(scaling.plan.magnitude, rope.PositiveNumber("attention_factor", inferred));
  if (factors.size() != scaling.plan.frequencies.size())
    return rope.Bad("expected \"short_factor\" to have " +
                    std::to_string(scaling.plan.frequencies.size()) + " elements, found " +
                    std::to_string(factors.size()));
  for (std::size_t i = 0; i < factors.size(); ++i)
    scaling.plan.frequencies[i] /= static_cast<float>(factors[i]);
  scaling.config.context = std::min(scaling.config.context, context);
  return OkStatus();
}

struct ScalingType {
  std::string_view name;
  Status (*scale)(const Scaling& scaling);
};
constexpr std::array kTypes = {
    ScalingType{"default", ScaleNothing}, ScalingType{"linear", ScaleLinear},
    ScalingType{"dynamic", ScaleDynamic}, ScalingType{"llama3", ScaleLlama3},
    ScalingType{"yarn", ScaleYarn},       ScalingType{"longrope", ScaleLong},
    ScalingType{"su", ScaleLong}};  // its name before

Result<const ScalingType*> ReadType(ConfigJson& rope) {
  EMEND_ASSIGN_OR_RETURN(const std::string older, rope.Text("type", "default"));
  EMEND_ASSIGN_OR_RETURN(const std::string name, rope.Text("rope_type", older));
  const auto* const found = std::ranges::find(kTypes, name, &ScalingType::name);
  if (found != kTypes.end()) return found;
  std::string known;
  for (const ScalingType& type : kTypes)
    known.append(known.empty() ? "\"" : ", \"").append(type.name).append("\"");
  return rope.Unsupported(name == older ? "type" : "rope_type", known);
}

}  // namespace

double StretchedFrequency(double frequency, const Llama3Scaling& scaling) {
  const double waves = scaling.original_context * frequency / (2 * std::numbers::pi);
  const double kept = std::clamp((waves - scaling.low) / (scaling.high - scaling.low), 0.0, 1.0);
  return (1 - kept) * frequency / scaling.factor + kept * frequency;
}

RotaryPlan PlainRotary(double theta, std::int64_t dims) {
  RotaryPlan plan;
  for (std::int64_t i = 0; i < dims; i += 2) {
    const float exponent = static_cast<float>(i) / static_cast<float>(dims);
    plan.frequencies.push_back(1 / std::pow(static_cast<float>(theta), exponent));
  }
  return plan;
}

Result<RotaryPlan> ReadRotaryObject(std::optional<ConfigJson> rope, RotaryDefaults defaults,
                                    ModelConfig& config) {
  if (rope) {
    EMEND_ASSIGN_OR_RETURN(defaults.theta, rope->PositiveNumber("rope_theta", defaults.theta));
    EMEND_ASSIGN_OR_RETURN(defaults.partial,
                           rope->PositiveNumber("partial_rotary_factor", defaults.partial));
  }
  const auto dims =
      static_cast<std::int64_t>(static_cast<double>(config.head_dim) * defaults.partial);
  if (dims < 2 || dims % 2 != 0 || dims > config.head_dim)
    return Status(StatusCode::kInvalidArgument, "bad_config",
                  "reading config.json: a rotation of " + std::to_string(dims) +
                      " elements of a head of " + std::to_string(config.head_dim) +
                      ", expected an even number of them");
  RotaryPlan plan = PlainRotary(defaults.theta, dims);
  if (!rope) return plan;
  EMEND_ASSIGN_OR_RETURN(const ScalingType* const type, ReadType(*rope));
  EMEND_RETURN_IF_ERROR(type->scale({*rope, defaults, config, plan}));
  EMEND_RETURN_IF_ERROR(rope->RefuseUnread());
  return plan;
}

Result<RotaryPlan> ReadRotary(ConfigJson& json, ModelConfig& config, RotaryDefaults defaults) {
  EMEND_ASSIGN_OR_RETURN(defaults.theta, json.PositiveNumber("rope_theta", defaults.theta));
  EMEND_ASSIGN_OR_RETURN(defaults.partial,
                         json.PositiveNumber("partial_rotary_factor", defaults.partial));
  EMEND_ASSIGN_OR_RETURN(std::optional<ConfigJson> scaling, json.Object("rope_scaling"));
  EMEND_ASSIGN_OR_RETURN(std::optional<ConfigJson> parameters, json.Object("rope_parameters"));
  if (scaling && parameters)
    return json.Bad("found both \"rope_scaling\" and \"rope_parameters\", expected one of them");
  return ReadRotaryObject(scaling ? std::move(scaling) : std::move(parameters), defaults, config);
}

}  // namespace emend::worker::families
