// Thousands of damaged GGUF files from a seed: each is refused under a name of its own, or read as
// something that holds together.
#include <gtest/gtest.h>

#include <set>

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

}  // namespace
}  // namespace emend::storage::checkpoint::gguf_fuzz_test
