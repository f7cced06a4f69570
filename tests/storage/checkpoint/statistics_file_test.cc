// A file of key statistics, against the digest that it holds of itself.
#include "storage/checkpoint/statistics_file.h"

#include "storage/base/digest.h"
#include "storage/base/encoding.h"
#include "tests/storage/checkpoint/checkpoint_fixture.h"
#include "tests/storage/checkpoint/write_tensors.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::checkpoint::statistics_file_test {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::HasSubstr;

class StatisticsFileTest : public FolderTest {
 protected:
  StatisticsFileTest() {
    const Bytes four(32, 1), twelve(32, 2), tokens = {9, 0, 0, 0, 0, 0, 0, 0};
    Encoder covered(RecordType::kStatisticsFile, 1);
    covered.Text("key");
    covered.I64(9);
    covered.Count(2);
    for (const auto& [layer, bytes] : {std::pair(4U, four), std::pair(12U, twelve)}) {
      covered.U32(layer);
      covered.I64(2);
      covered.Raw(Sha256(std::string(bytes.begin(), bytes.end())).Raw());
    }
    const Digest digest = Sha256(covered.bytes());
    const std::vector<NewTensor> tensors = {
        {"layer.00004", delta::DType::kF64, {2, 2}, four},
        {"layer.00012", delta::DType::kF64, {2, 2}, twelve},
        {"digest", delta::DType::kU8, {32}, {digest.Raw().begin(), digest.Raw().end()}},
        {"key", delta::DType::kU8, {3}, {'k', 'e', 'y'}},
        {"tokens", delta::DType::kI64, {1}, tokens}};
    EXPECT_THAT(WriteSafetensors(path_, tensors, {}), IsOk());
  }
  const std::string path_ = Path("statistics.safetensors");
};

TEST_F(StatisticsFileTest, WhatWasWrittenIsGood) {
  EXPECT_THAT(CheckStatisticsFile(path_), IsOk());
}

TEST_F(StatisticsFileTest, EveryChangedByteOfTheDataIsFound) {
  const std::string good = Read(path_);
  const std::size_t begin = good.size() - (2 * 32 + 32 + 3 + 8);
  for (std::size_t at = begin; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] ^= 0x20;
    Write("statistics.safetensors", bad);
    ASSERT_THAT(CheckStatisticsFile(path_), StatusIs(StatusCode::kDataLoss, "bad_statistics"))
        << at;
  }
}

TEST_F(StatisticsFileTest, AFileThatIsGoneOrCutIsLostData) {
  Write("statistics.safetensors", Read(path_).substr(0, 100));
  EXPECT_THAT(CheckStatisticsFile(path_), StatusIs(StatusCode::kDataLoss, "bad_statistics"));
  std::filesystem::remove(path_);
  const Status gone = CheckStatisticsFile(path_);
  EXPECT_THAT(gone, StatusIs(StatusCode::kDataLoss, "bad_statistics"));
  EXPECT_THAT(gone.message(), HasSubstr("it is missing"));
}

}  // namespace
}  // namespace emend::storage::checkpoint::statistics_file_test
