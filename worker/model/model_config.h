// ModelConfig: what a decoder-only model is made of, read from its config.json by its family.
#pragma once

#include <cstdint>
#include <string>

namespace emend::worker::model {

struct ModelConfig {
  std::string family;  // "gpt2", "llama"
  std::int64_t layers = 0;
  std::int64_t hidden = 0;        // d
  std::int64_t intermediate = 0;  // d_ff: the down projection's input
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocabulary = 0;
  std::int64_t context = 0;  // positions
  double norm_epsilon = 1e-5;
  double rope_theta = 10000.0;
  std::string activation;  // "gelu_tanh", "gelu", "silu", "relu"
  bool tied_head = false;
  std::int32_t bos_token = -1;  // -1: none
  std::int32_t eos_token = -1;
};

}  // namespace emend::worker::model
