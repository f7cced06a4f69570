// Thousands of damaged GGUF files from a seed: each is refused under a name of its own, or read as
// something that holds together, and converted if it says enough.
#include <gtest/gtest.h>

#include <set>

#include "coordinator/core/gguf_plan.h"
#include "coordinator/core/gguf_tensors.h"
#include "coordinator/core/gguf_tokenizer.h"
#include "storage/checkpoint/gguf.h"
#include "tests/fuzz/mutations.h"
#include "tests/support/gguf_writer.h"

namespace emend::storage::checkpoint::gguf_fuzz_test {
namespace {

constexpr std::uint64_t kFiles = 30000;

std::string SmallFile() {
  test::GgufWriter writer;
  writer.Text("general.architecture", "llama");
  writer.Integer("general.alignment", 32);
  writer.Number("a.number", 0.5F);
  writer.Texts("a.texts", {"one", "two", ""});
  writer.Integers("an.array", {1, 2, 3});
  writer.Tensor("first", {2, 4}, test::kGgufF32, std::string(32, 'f'));
  writer.Tensor("second", {32}, test::kGgufQ8Zero, std::string(34, 'q'));
  writer.Tensor("third", {3}, test::kGgufBF16, std::string(6, 'b'));
  return writer.Build();
}

// What the rest of the program relies on for any file that was read.
void ExpectSound(const GgufFile& file, const std::string& bytes, std::uint64_t seed) {
  const auto* const begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const std::uint8_t* cursor = begin;
  std::set<std::string> names;
  for (const GgufTensor& tensor : file.tensors()) {
    EXPECT_TRUE(names.insert(tensor.name).second) << "seed " << seed;
    ASSERT_GE(tensor.bytes.data(), cursor) << "seed " << seed;
    cursor = tensor.bytes.data() + tensor.bytes.size();
    ASSERT_LE(cursor, begin + bytes.size()) << "seed " << seed;
    EXPECT_EQ(tensor.rows() * tensor.row_bytes(), tensor.bytes.size()) << "seed " << seed;
    std::vector<float> row(tensor.row_elements());
    for (std::uint64_t i = 0; i < tensor.rows(); ++i) tensor.ReadRow(i, row);
  }
}

TEST(GgufFuzz, DamagedFilesAreRefusedByNameOrSound) {
  const std::string small = SmallFile();
  std::set<std::string> slugs;
  std::size_t read = 0;
  for (std::uint64_t seed = 0; seed < kFiles; ++seed) {
    const std::string bytes = test::Mutator(seed).Bytes(small);
    const auto file = GgufFile::Parse(
        {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "fuzz.gguf");
    if (file.ok()) {
      ++read;
      ExpectSound(*file, bytes, seed);
      continue;
    }
    const std::string& slug = file.status().slug();
    EXPECT_TRUE(slug.starts_with("gguf_") || slug == "unsupported_dtype")
        << "seed " << seed << ": " << file.status().ToString();
    slugs.insert(slug);
  }
  EXPECT_GT(read, kFiles / 100);
  EXPECT_GE(slugs.size(), 10U);  // the damage reaches the checks after the counts
}

// A model and a tokenizer that convert.
std::string SmallModel(const std::string& tokenizer) {
  test::GgufWriter writer;
  writer.Text("general.architecture", "llama");
  for (const char* key : {"block_count", "context_length", "embedding_length",
                          "feed_forward_length", "attention.head_count"})
    writer.Integer(std::string("llama.") + key, 2);
  writer.Integer("llama.attention.key_length", 4);
  writer.Number("llama.attention.layer_norm_rms_epsilon", 0.5F);
  writer.Text("tokenizer.ggml.model", tokenizer);
  writer.Text("tokenizer.ggml.pre", "llama-bpe");
  writer.Texts("tokenizer.ggml.tokens", {"a", "b", "ab", "<s>", " x", "abab"});
  writer.Texts("tokenizer.ggml.merges", {"a b", "ab ab"});
  writer.Numbers("tokenizer.ggml.scores", {-1, -2, -3, 0, 0, -4});
  writer.Integers("tokenizer.ggml.token_type", {1, 1, 1, 3, 4, 1});
  writer.Integer("tokenizer.ggml.bos_token_id", 3);
  writer.Tensor("token_embd.weight", {6, 2}, test::kGgufF32, std::string(48, 'e'));
  writer.Tensor("blk.0.attn_q.weight", {8, 2}, test::kGgufBF16, std::string(32, 'q'));
  writer.Tensor("blk.0.ffn_up.weight", {2, 32}, test::kGgufQ8Zero, std::string(68, 'u'));
  writer.Tensor("rope_freqs.weight", {2}, test::kGgufF32,
                std::string("\0\0\x80\x3f\0\0\x80\x3f", 8));
  return writer.Build();
}

class ConvertedGgufFuzz : public testing::TestWithParam<std::string> {};

TEST_P(ConvertedGgufFuzz, DamagedModelsAreRefusedByNameOrConverted) {
  const std::string small = SmallModel(GetParam());
  std::size_t converted = 0;
  std::set<std::string> slugs;
  for (std::uint64_t seed = 0; seed < kFiles / 3; ++seed) {
    const std::string bytes = test::Mutator(seed).Bytes(small);
    const auto file = GgufFile::Parse(
        {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "fuzz.gguf");
    if (!file.ok()) continue;
    const auto plan = coordinator::core::PlanGguf(*file);
    const auto tokenizer = coordinator::core::ConvertTokenizer(*file);
    for (const Status& status : {plan.status(), tokenizer.status()}) {
      EXPECT_NE(status.code(), StatusCode::kInternal) << "seed " << seed;
      if (!status.ok()) slugs.insert(status.slug());
    }
    if (!plan.ok()) continue;
    converted += tokenizer.ok() ? 1 : 0;
    for (const auto& tensor : plan->tensors) {
      const TensorSource source = coordinator::core::ConvertedTensor(tensor);
      std::uint64_t size = delta::ElementBytes(source.dtype);
      for (const std::uint64_t dimension : source.shape) size *= dimension;
      EXPECT_EQ(source.bytes()->size(), size) << "seed " << seed << ", " << source.name;
    }
  }
  EXPECT_GT(converted, kFiles / 300);
  EXPECT_GE(slugs.size(), 6U);
}

INSTANTIATE_TEST_SUITE_P(EveryTokenizer, ConvertedGgufFuzz, testing::Values("gpt2", "llama"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace emend::storage::checkpoint::gguf_fuzz_test
