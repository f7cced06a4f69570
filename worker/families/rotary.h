// Rotary positions (Su et al. 2021, "RoFormer") and what stretches them to longer texts. Free
// functions.
#pragma once

#include <cstdint>
#include <optional>

#include "worker/families/config_json.h"
#include "worker/families/model_layout.h"

namespace emend::worker::families {

// What is so unless the object says otherwise.
struct RotaryDefaults {
  double theta = 10000.0;
  double partial = 1;                 // the part of a head that is turned
  std::int64_t original_context = 0;  // before it was stretched; 0: the config's context
};

// From `rope_theta` and `partial_rotary_factor`, and the object `rope_scaling` or
// `rope_parameters`: newer files keep all in the latter. As ReadRotaryObject.
Result<RotaryPlan> ReadRotary(ConfigJson& json, ModelConfig& config, RotaryDefaults defaults = {});

// The types "default", "linear", "dynamic", "llama3", "yarn" (Peng et al. 2023) and "longrope"
// (Ding et al. 2024). "dynamic" changes nothing within the context. "longrope" turns longer texts
// by other factors, which only a text that is one from its first token could use:
// `config.context` becomes the original one, and its factors are taken. kInvalidArgument
// ("bad_config"), kUnsupported ("unsupported_config") for another type or an unknown key.
Result<RotaryPlan> ReadRotaryObject(std::optional<ConfigJson> rope, RotaryDefaults defaults,
                                    ModelConfig& config);

// Waves that the original context holds often stay, those that it does not hold are stretched, and
// in between goes from one to the other.
struct Llama3Scaling {
  double factor = 1;
  double low = 1;   // times that the context holds a wave which is stretched in full
  double high = 4;  // times from which on one stays; above `low`
  double original_context = 8192;
};
double StretchedFrequency(double frequency, const Llama3Scaling& scaling);

// θ^(-2i / dims) for the pairs i of `dims` elements, in fp32 as the reference implementation.
RotaryPlan PlainRotary(double theta, std::int64_t dims);

}  // namespace emend::worker::families
