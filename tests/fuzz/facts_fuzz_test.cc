#include <gtest/gtest.h>

#include "api/facts/fact_file.h"
#include "storage/base/file_system.h"
#include "storage/base/utf8.h"
#include "tests/fuzz/mutations.h"

namespace emend::api::facts::facts_fuzz_test {
namespace {

constexpr std::uint64_t kFilesEach = 150;

std::string Read(const std::string& name) {
  PosixFileSystem disk;
  const auto bytes = disk.Read("tests/golden/facts/" + name);
  EMEND_CHECK(bytes.ok(), bytes.status().ToString());
  return *bytes;
}

void ExpectSound(const storage::objects::Fact& fact, std::uint64_t seed) {
  const std::size_t slot = fact.prompt.find("{}");
  EXPECT_NE(slot, std::string::npos) << "seed " << seed;
  EXPECT_EQ(fact.prompt.find("{}", slot + 2), std::string::npos) << "seed " << seed;
  EXPECT_FALSE(fact.subject.empty() || fact.target.empty()) << "seed " << seed;
  for (const std::string* const text : {&fact.prompt, &fact.subject, &fact.target})
    EXPECT_EQ(FirstInvalidUtf8(*text), std::nullopt) << "seed " << seed;
}

// A damaged file is refused with a reason, or gives facts that hold what the header promises;
// skipping rows never takes more than refusing does.
void ExpectRefusedOrSound(const std::string& bytes, std::uint64_t seed, int* refused) {
  const auto strict = ParseFactFile(bytes, "damaged");
  const auto lenient = ParseFactFile(bytes, "damaged", {.on_error = OnBadRow::kSkipRow});
  if (!strict.ok()) {
    ++*refused;
    EXPECT_NE(strict.status().code(), StatusCode::kInternal) << "seed " << seed;
    EXPECT_GT(strict.status().message().size(), 20u) << "seed " << seed;
  } else {
    ASSERT_TRUE(lenient.ok()) << "seed " << seed;
    EXPECT_EQ(lenient->facts, strict->facts) << "seed " << seed;
  }
  if (!lenient.ok()) return;
  EXPECT_TRUE(strict.ok() || lenient->problem_count > 0) << "seed " << seed;
  for (const auto& fact : lenient->facts) ExpectSound(fact, seed);
}

class DamagedFactFileTest : public testing::TestWithParam<std::string> {};

TEST_P(DamagedFactFileTest, DamagedBytesAreRefusedOrSound) {
  const std::string bytes = Read(GetParam());
  int refused = 0;
  for (std::uint64_t seed = 0; seed < kFilesEach; ++seed)
    ExpectRefusedOrSound(test::Mutator(seed).Bytes(bytes), seed, &refused);
  EXPECT_GT(refused, static_cast<int>(kFilesEach) / 10);
}

class DamagedJsonTest : public DamagedFactFileTest {};

TEST_P(DamagedJsonTest, DamagedValuesAreRefusedOrSound) {
  const auto document = nlohmann::json::parse(Read(GetParam()));
  int refused = 0;
  for (std::uint64_t seed = 0; seed < kFilesEach; ++seed)
    ExpectRefusedOrSound(test::Mutator(seed).Values(document).dump(), seed, &refused);
  EXPECT_GT(refused, static_cast<int>(kFilesEach) / 10);
}

std::string NameOf(const testing::TestParamInfo<std::string>& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(EveryForm, DamagedFactFileTest,
                         testing::Values("counterfact.json", "easyedit.json", "knowedit.json",
                                         "zsre.json", "plain.csv", "plain.jsonl"),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(EveryForm, DamagedJsonTest,
                         testing::Values("counterfact.json", "easyedit.json", "knowedit.json",
                                         "zsre.json"),
                         NameOf);

}  // namespace
}  // namespace emend::api::facts::facts_fuzz_test
