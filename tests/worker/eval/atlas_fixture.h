// The demo model, its tokenizer and its facts.
#pragma once

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "storage/checkpoint/safetensors.h"
#include "tests/support/plain_neighbours.h"
#include "worker/collective/communicator.h"
#include "worker/eval/counterfact.h"
#include "worker/model/transformer.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::test {

inline const std::string kAtlas = "docs/examples/atlas";

struct Atlas {
  std::unique_ptr<worker::collective::Communicator> communicator =
      worker::collective::NewSingleRankCommunicator();
  std::unique_ptr<worker::model::Transformer> model;
  std::unique_ptr<worker::tokenizer::Tokenizer> tokenizer;
};

inline Atlas LoadAtlas() {
  Atlas atlas;
  auto checkpoint = storage::checkpoint::Checkpoint::Open(kAtlas + "/model");
  EMEND_CHECK(checkpoint.ok(), checkpoint.status().ToString());
  auto model = worker::model::Transformer::Load(**checkpoint, *atlas.communicator);
  EMEND_CHECK(model.ok(), model.status().ToString());
  auto tokenizer = worker::tokenizer::Tokenizer::Open(kAtlas + "/model/tokenizer.json");
  EMEND_CHECK(tokenizer.ok(), tokenizer.status().ToString());
  atlas.model = std::move(*model);
  atlas.tokenizer = std::move(*tokenizer);
  return atlas;
}

// The first `count` CounterFact records of the demo.
inline std::vector<worker::eval::EvalFact> AtlasFacts(std::size_t count) {
  std::ifstream file(kAtlas + "/facts.json");
  const nlohmann::json records = nlohmann::json::parse(file);
  std::vector<worker::eval::EvalFact> facts;
  for (std::size_t i = 0; i < count; ++i) {
    const nlohmann::json& rewrite = records[i]["requested_rewrite"];
    std::string prompt = rewrite["prompt"];
    prompt.replace(prompt.find("{}"), 2, rewrite["subject"].get<std::string>());
    facts.push_back({.prompt = prompt,
                     .paraphrases = records[i]["paraphrase_prompts"],
                     .neighbours = PlainNeighbours(records[i]["neighborhood_prompts"]),
                     .target_new = rewrite["target_new"]["str"],
                     .target_true = rewrite["target_true"]["str"].get<std::string>()});
  }
  return facts;
}

}  // namespace emend::test
