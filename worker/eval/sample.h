// Sampling: texts that the model makes up, as the published code takes its context templates, and
// as covariances are taken where no corpus is given.
//
//   EMEND_ASSIGN_OR_RETURN(SampledTexts sampled, SampleTexts(model, tokenizer, "Therefore", {
//       .count = 1, .max_tokens = 10, .top_k = 5, .seed = 7}));
//   sampled.texts[0]       // "Therefore the team moved to another city in the north"
//
// Each token is drawn from the softmax of the logits, temperature 1, over the `top_k` likeliest
// tokens or all. A text ends at an end-of-text token; it is UTF-8, bytes of cut characters left
// out. The same model, options and libtorch build give the same texts. Blocks on compute; no
// autograd.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/eval/score.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::eval {

struct SampleOptions {
  std::int64_t count = 1;        // texts
  std::int64_t max_tokens = 10;  // of each, behind the prefix; ends at the context's end too
  std::int64_t top_k = 0;        // 0: the whole vocabulary
  std::uint64_t seed = 0;
  ProgressFunction progress = {};  // in tokens of one text
};

struct SampledTexts {
  std::vector<std::string> texts;
  std::int64_t tokens = 0;  // drawn for them, without those of end of text
};
// Each text with the prefix in front. An empty prefix begins a text: behind the template's special
// tokens, else the beginning-of-text or end-of-text token. kInvalidArgument: no token to begin with
// ("empty_prompt"), a prefix longer than the context ("prompt_too_long"), a negative number
// ("bad_option").
Result<SampledTexts> SampleTexts(const model::Transformer& model,
                                 const tokenizer::Tokenizer& tokenizer, std::string_view prefix,
                                 const SampleOptions& options);

}  // namespace emend::worker::eval
