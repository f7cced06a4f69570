// Files compared with what was recorded of them.
#include "storage/checkpoint/file_digests.h"

#include <gtest/gtest.h>

#include "tests/storage/checkpoint/checkpoint_fixture.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::checkpoint::file_digests_test {
namespace {

using test::IsOk;
using test::StatusIs;

using FileDigests = FolderTest;

TEST_F(FileDigests, AnIntactFolderHasNoFault) {
  Write("config.json", std::string("{}"));
  Write("empty.txt", std::string());
  Write("other.txt", std::string("not recorded"));
  const std::map<std::string, Digest> recorded = {{"config.json", Sha256("{}")},
                                                  {"empty.txt", Sha256("")}};
  EXPECT_THAT(CheckFiles(folder_, recorded), IsOk());
  for (const DigestCheck& check : CompareFiles(folder_, recorded))
    EXPECT_EQ(check.digest, recorded.at(check.name));
}

TEST_F(FileDigests, OneFlippedBitAndOneMissingFileAreNamed) {
  Write("a.json", std::string("{}"));
  Write("b.json", std::string("{|"));
  const std::map<std::string, Digest> recorded = {
      {"a.json", Sha256("{}")}, {"b.json", Sha256("{}")}, {"c.json", Sha256("{}")}};
  const auto checks = CompareFiles(folder_, recorded);
  ASSERT_EQ(checks.size(), 3U);
  EXPECT_EQ(checks[0].fault, "");
  EXPECT_THAT(checks[1].fault, testing::HasSubstr("expected " + Sha256("{}").Hex()));
  EXPECT_THAT(checks[2].fault, testing::HasSubstr("c.json"));
  const Status status = CheckFiles(folder_, recorded);
  EXPECT_THAT(status, StatusIs(StatusCode::kDataLoss, "base_damaged"));
  EXPECT_THAT(status.message(), testing::HasSubstr("b.json"));
}

}  // namespace
}  // namespace emend::storage::checkpoint::file_digests_test
