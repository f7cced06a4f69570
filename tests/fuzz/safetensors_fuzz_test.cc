// Thousands of damaged safetensors files and indexes from a seed: each is refused under a name of
// its own, or read as something that holds together.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>

#include "storage/checkpoint/header_json.h"
#include "storage/checkpoint/safetensors.h"

namespace emend::storage::checkpoint::safetensors_fuzz_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

class SafetensorsFuzz : public testing::Test {
 protected:
  std::size_t Below(std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(engine_);
  }

  // Texts that matter to a header; put in, or over what is there.
  std::string Token() {
    static const std::vector<std::string> kTokens = {"{",
                                                     "}",
                                                     "[",
                                                     "]",
                                                     ",",
                                                     ":",
                                                     "\"",
                                                     "0",
                                                     "-1",
                                                     "1e3",
                                                     "1.0",
                                                     "18446744073709551615",
                                                     "18446744073709551616",
                                                     "4294967296",
                                                     "null",
                                                     "true",
                                                     "\"F32\"",
                                                     "\"BF16\"",
                                                     "\"dtype\"",
                                                     "\"shape\"",
                                                     "\"data_offsets\"",
                                                     "\"__metadata__\"",
                                                     "\"a\"",
                                                     "\\u0000",
                                                     "\\",
                                                     std::string(1, '\0'),
                                                     "\xff",
                                                     "[0,8]",
                                                     "[8,0]",
                                                     "[8,16]",
                                                     std::string(64, '['),
                                                     std::string(64, '9'),
                                                     " "};
    return kTokens[Below(kTokens.size())];
  }

  std::string Mutate(std::string text) {
    const std::size_t changes = 1 + Below(4);
    for (std::size_t i = 0; i < changes && !text.empty(); ++i) {
      const std::size_t at = Below(text.size());
      switch (Below(6)) {
        case 0: text[at] = static_cast<char>(Below(256)); break;
        case 1: text[at] ^= static_cast<char>(1U << Below(8)); break;
        case 2: text.erase(at, 1 + Below(12)); break;
        case 3: text.insert(at, Token()); break;
        case 4: text.replace(at, 1 + Below(4), Token()); break;
        default: text.insert(at, text.substr(Below(text.size()), Below(60))); break;
      }
    }
    return text;
  }

  Bytes File(const std::string& header, std::size_t data_bytes) {
    // Mostly the true length, so that the mutated header itself is reached.
    const std::uint64_t length = Below(10) == 0 ? engine_() >> Below(64) : header.size();
    Bytes file;
    for (int i = 0; i < 8; ++i) file.push_back(static_cast<std::uint8_t>(length >> (8 * i)));
    file.insert(file.end(), header.begin(), header.end());
    file.resize(file.size() + data_bytes);
    return file;
  }

  std::mt19937_64 engine_{20240611};
};

// What the rest of the program relies on for any file that was read.
void ExpectSound(const std::vector<TensorView>& views, const Bytes& file) {
  const std::uint8_t* cursor = nullptr;
  std::set<std::string> names;
  for (const TensorView& view : views) {
    EXPECT_TRUE(names.insert(view.name).second);
    EXPECT_GE(view.bytes.data(), file.data());
    EXPECT_LE(view.bytes.data() + view.bytes.size(), file.data() + file.size());
    std::uint64_t expected = delta::ElementBytes(view.dtype);
    for (const std::uint64_t dim : view.shape) expected *= dim;
    EXPECT_EQ(view.bytes.size(), expected);
    if (cursor != nullptr) {
      EXPECT_EQ(view.bytes.data(), cursor);
    }
    cursor = view.bytes.data() + view.bytes.size();
  }
}

TEST_F(SafetensorsFuzz, MutatedFilesAreRefusedByNameOrSound) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[8,16]},)"
      R"("c":{"dtype":"U8","shape":[0],"data_offsets":[16,16]}}   )";
  std::set<std::string> slugs;
  std::size_t read = 0;
  for (int i = 0; i < 20000; ++i) {
    Bytes file = File(Mutate(header), Below(20) == 0 ? Below(32) : 16);
    if (Below(50) == 0) file.resize(Below(file.size()));
    const auto views = ParseSafetensors(file, "fuzz.safetensors");
    if (views.ok()) {
      ++read;
      ExpectSound(*views, file);
      continue;
    }
    const bool named = views.status().slug().rfind("safetensors_", 0) == 0;
    EXPECT_TRUE(named) << views.status().ToString();
    slugs.insert(views.status().slug());
  }
  EXPECT_GT(read, 100U);
  EXPECT_GE(slugs.size(), 15U);  // the mutations reach the checks behind the JSON
}

TEST_F(SafetensorsFuzz, MutatedIndexesAreRefusedByNameOrSound) {
  const std::string index =
      R"({"metadata":{"total_size":16},"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"one.safetensors"}})";
  std::size_t read = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto pairs = ParseWeightMap(Mutate(index), "fuzz.index.json");
    if (!pairs.ok()) {
      EXPECT_EQ(pairs.status().code(), StatusCode::kInvalidArgument);
      const bool named = pairs.status().slug().rfind("index_", 0) == 0;
      EXPECT_TRUE(named) << pairs.status().ToString();
      continue;
    }
    ++read;
    for (const auto& [tensor, file] : *pairs) EXPECT_EQ(file.find('/'), std::string::npos);
  }
  EXPECT_GT(read, 100U);
}

TEST_F(SafetensorsFuzz, EveryTruncationIsRefused) {
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  Bytes file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<std::uint8_t>(header.size() >> (8 * i)));
  file.insert(file.end(), header.begin(), header.end());
  file.resize(file.size() + 8);
  ASSERT_TRUE(ParseSafetensors(file, "x").ok());
  for (std::size_t size = 0; size < file.size(); ++size)
    EXPECT_FALSE(ParseSafetensors(std::span(file).first(size), "x").ok()) << size;
}

}  // namespace
}  // namespace emend::storage::checkpoint::safetensors_fuzz_test
