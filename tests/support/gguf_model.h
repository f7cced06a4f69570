// tests/golden/stories260K as a GGUF file, as llama.cpp's converter writes it: the rows of queries
// and keys take turns, and a byte-level tokenizer stands in for the model's own.
//
//   GgufWriter writer = StoriesGguf();
//   std::ofstream(path, std::ios::binary) << writer.Build();
#pragma once

#include <string>
#include <vector>

#include "storage/base/check.h"
#include "storage/checkpoint/safetensors.h"
#include "tests/support/gguf_writer.h"

namespace emend::test {

inline constexpr char kStoriesFolder[] = "tests/golden/stories260K";

// The character that stands for each byte in the tokens of a byte-level tokenizer.
inline std::vector<std::string> ByteCharacters() {
  std::vector<std::string> characters;
  unsigned next = 256;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool is_shown = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
    const unsigned code = is_shown ? byte : next++;
    characters.push_back(code < 128 ? std::string(1, static_cast<char>(code))
                                    : std::string{static_cast<char>(0xC0 | (code >> 6)),
                                                  static_cast<char>(0x80 | (code & 0x3F))});
  }
  return characters;
}

// 512 tokens: every byte, 254 of them doubled, and <s> and </s> last.
inline void AddByteLevelTokenizer(GgufWriter& writer, const std::string& pre) {
  std::vector<std::string> tokens = ByteCharacters();
  std::vector<std::string> merges;
  std::vector<std::int32_t> kinds(512, 1);
  for (int i = 0; i < 254; ++i) {
    merges.push_back(tokens[static_cast<std::size_t>(i)] + " " +
                     tokens[static_cast<std::size_t>(i)]);
    tokens.push_back(tokens[static_cast<std::size_t>(i)] + tokens[static_cast<std::size_t>(i)]);
  }
  tokens.insert(tokens.end(), {"<s>", "</s>"});
  kinds[510] = kinds[511] = 3;
  writer.Text("tokenizer.ggml.model", "gpt2");
  writer.Text("tokenizer.ggml.pre", pre);
  writer.Texts("tokenizer.ggml.tokens", tokens);
  writer.Integers("tokenizer.ggml.token_type", kinds);
  writer.Texts("tokenizer.ggml.merges", merges);
  writer.Integer("tokenizer.ggml.bos_token_id", 510);
  writer.Integer("tokenizer.ggml.eos_token_id", 511);
}

inline void AddStoriesMetadata(GgufWriter& writer) {
  writer.Text("general.architecture", "llama");
  writer.Integer("llama.block_count", 5);
  writer.Integer("llama.context_length", 512);
  writer.Integer("llama.embedding_length", 64);
  writer.Integer("llama.feed_forward_length", 172);
  writer.Integer("llama.attention.head_count", 8);
  writer.Integer("llama.attention.head_count_kv", 4);
  writer.Integer("llama.rope.dimension_count", 8);
  writer.Integer("llama.vocab_size", 512);
  writer.Number("llama.attention.layer_norm_rms_epsilon", 1e-5F);
}

// Row n of a head becomes row 2n, row half + n becomes row 2n + 1.
inline std::string TakeTurns(const storage::checkpoint::TensorView& view, std::uint64_t heads) {
  const std::uint64_t rows = view.shape[0], half = rows / heads / 2;
  const std::uint64_t row_bytes = view.bytes.size() / rows;
  std::string turns;
  for (std::uint64_t row = 0; row < rows; ++row) {
    const std::uint64_t in_head = row % (2 * half);
    const std::uint64_t from = row - in_head + in_head % 2 * half + in_head / 2;
    turns.append(reinterpret_cast<const char*>(view.bytes.data()) + from * row_bytes, row_bytes);
  }
  return turns;
}

inline void AddStoriesTensors(GgufWriter& writer) {
  static const std::vector<std::pair<std::string, std::string>> kNames = {
      {"model.embed_tokens.", "token_embd."},
      {"model.norm.", "output_norm."},
      {"model.layers.", "blk."},
      {"self_attn.q_proj", "attn_q"},
      {"self_attn.k_proj", "attn_k"},
      {"self_attn.v_proj", "attn_v"},
      {"self_attn.o_proj", "attn_output"},
      {"mlp.gate_proj", "ffn_gate"},
      {"mlp.up_proj", "ffn_up"},
      {"mlp.down_proj", "ffn_down"},
      {"post_attention_layernorm", "ffn_norm"},
      {"input_layernorm", "attn_norm"}};
  auto checkpoint = storage::checkpoint::Checkpoint::Open(kStoriesFolder);
  EMEND_CHECK(checkpoint.ok(), checkpoint.status().ToString());
  for (const auto& [name, view] : (*checkpoint)->tensors()) {
    std::string as_gguf = name;
    for (const auto& [from, to] : kNames) {
      if (const std::size_t at = as_gguf.find(from); at != std::string::npos)
        as_gguf.replace(at, from.size(), to);
    }
    const std::uint64_t heads = name.find("q_proj") != std::string::npos   ? 8
                                : name.find("k_proj") != std::string::npos ? 4
                                                                           : 0;
    const std::string bytes(view.bytes.begin(), view.bytes.end());
    writer.Tensor(as_gguf, view.shape, kGgufF32, heads == 0 ? bytes : TakeTurns(view, heads));
  }
}

inline GgufWriter StoriesGguf() {
  GgufWriter writer;
  AddStoriesMetadata(writer);
  AddByteLevelTokenizer(writer, "llama-bpe");
  AddStoriesTensors(writer);
  return writer;
}

}  // namespace emend::test
