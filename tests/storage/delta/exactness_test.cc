// The promise that everything rests on: a set of edits gives the same bytes whatever the order, the
// history and the sharding, and no edits give the base.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "storage/delta/rebuild.h"
#include "storage/delta/tile_digest.h"
#include "tests/storage/delta/delta_fixture.h"
#include "tests/storage/delta/ledger_columns.h"

namespace emend::storage::delta::exactness_test {
namespace {

constexpr std::uint64_t kRows = 200;  // four rows and four columns of tiles, the last ones cut
constexpr std::uint64_t kCols = 230;
constexpr std::size_t kEdits = 12;

enum class Split { kByRows, kByCols, kByRanks };

// The n-th cut of `size` into `parts`, at a tile's edge.
std::uint64_t Cut(std::uint64_t size, std::uint64_t tile, std::uint64_t parts, std::uint64_t n) {
  const std::uint64_t tiles = (size + tile - 1) / tile;
  return std::min(size, tiles * n / parts * tile);
}

// A tensor held by several ranks. By rows or columns each rank holds a part of it; by ranks each
// holds a ledger of the whole for its share of the edits, and the ledgers are summed.
class ShardedTensor {
 public:
  ShardedTensor(const TensorShape& shape, Bytes base, Split split, std::uint64_t parts)
      : shape_(shape), base_(std::move(base)), split_(split) {
    for (std::uint64_t part = 0; part < parts; ++part) {
      TensorRange range{0, shape.rows, 0, shape.cols};
      if (split == Split::kByRows)
        range = {Cut(shape.rows, kTileRows, parts, part),
                 Cut(shape.rows, kTileRows, parts, part + 1), 0, shape.cols};
      if (split == Split::kByCols)
        range = {0, shape.rows, Cut(shape.cols, kTileCols, parts, part),
                 Cut(shape.cols, kTileCols, parts, part + 1)};
      ledgers_.emplace_back(range);
    }
  }

  void Add(const Column& column, std::size_t edit) {
    ForEachHolder(edit, [&](Ledger& ledger) { AddColumn(ledger, column); });
  }
  void Remove(const Column& column, std::size_t edit) {
    ForEachHolder(edit, [&](Ledger& ledger) { RemoveColumn(ledger, column); });
  }

  Digest ServeAndHash() {
    std::vector<TileLeaf> leaves;
    const std::size_t holders = split_ == Split::kByRanks ? 1 : ledgers_.size();
    for (std::size_t i = 0; i < holders; ++i) {
      const Ledger summed = split_ == Split::kByRanks ? SumOfRanks() : ledgers_[i];
      const Bytes base = BaseOf(summed.range());
      Bytes served(base.size());
      EXPECT_EQ(ServeWeights(summed, shape_.dtype, base, served), OkStatus());
      const auto part = HashTiles(shape_, summed.range(), served);
      EXPECT_TRUE(part.ok()) << part.status().ToString();
      leaves.insert(leaves.end(), part->begin(), part->end());
    }
    return TensorRoot(shape_, std::move(leaves)).value();
  }

 private:
  template <typename Change>
  void ForEachHolder(std::size_t edit, Change change) {
    if (split_ == Split::kByRanks) return change(ledgers_[edit % ledgers_.size()]);
    for (Ledger& ledger : ledgers_) change(ledger);
  }

  Ledger SumOfRanks() const {
    Ledger sum = ledgers_[0];
    for (std::size_t i = 1; i < ledgers_.size(); ++i) {
      for (std::size_t k = 0; k < sum.values().size(); ++k)
        sum.mutable_values()[k] += ledgers_[i].values()[k];
    }
    return sum;
  }

  Bytes BaseOf(const TensorRange& range) const {
    const std::size_t size = ElementBytes(shape_.dtype);
    Bytes bytes;
    for (std::uint64_t row = range.row_begin; row < range.row_end; ++row) {
      const auto first =
          base_.begin() + static_cast<std::ptrdiff_t>((row * shape_.cols + range.col_begin) * size);
      bytes.insert(bytes.end(), first, first + static_cast<std::ptrdiff_t>(range.cols() * size));
    }
    return bytes;
  }

  const TensorShape shape_;
  const Bytes base_;
  const Split split_;
  std::vector<Ledger> ledgers_;
};

class Exactness : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    base_ = source_.Weights(GetParam(), kRows * kCols);
    columns_ = source_.Columns(kEdits, kRows, kCols);
  }

  Digest Rebuilt(const std::set<std::size_t>& active) {
    std::vector<const Column*> columns;
    for (const std::size_t edit : active) columns.push_back(&columns_[edit]);
    auto rebuilt = RebuildTensor(shape_, base_, columns, 1);
    EXPECT_TRUE(rebuilt.ok()) << rebuilt.status().ToString();
    if (active.empty()) {
      EXPECT_EQ(rebuilt->bytes, base_);
    }
    return rebuilt->digest;
  }

  Source source_{20240607};
  const TensorShape shape_{GetParam(), kRows, kCols};
  Bytes base_;
  std::vector<Column> columns_;
};

TEST_P(Exactness, TwoHundredRandomHistoriesGiveTheBytesOfTheirSet) {
  constexpr int kSequences = 200;
  constexpr int kSteps = 20;
  for (int sequence = 0; sequence < kSequences; ++sequence) {
    const auto split = static_cast<Split>(sequence % 3);
    const std::uint64_t parts = 1 + static_cast<std::uint64_t>(sequence / 3 % 4);
    ShardedTensor tensor(shape_, base_, split, parts);
    std::set<std::size_t> active;
    for (int step = 0; step < kSteps; ++step) {
      const std::size_t edit = source_.Below(kEdits);
      if (active.insert(edit).second) {
        tensor.Add(columns_[edit], edit);
      } else {
        active.erase(edit);
        tensor.Remove(columns_[edit], edit);
      }
    }
    ASSERT_EQ(tensor.ServeAndHash(), Rebuilt(active)) << "sequence " << sequence;
    while (!active.empty()) {
      auto edit = active.begin();
      std::advance(edit, static_cast<std::ptrdiff_t>(source_.Below(active.size())));
      tensor.Remove(columns_[*edit], *edit);
      active.erase(edit);
    }
    ASSERT_EQ(tensor.ServeAndHash(), HashTensor(shape_, base_).value()) << "sequence " << sequence;
  }
}

TEST_P(Exactness, EditsChangeTheBytes) {
  std::set<std::size_t> active;
  std::set<Digest> digests = {Rebuilt(active)};
  for (std::size_t edit = 0; edit < kEdits; ++edit) {
    active.insert(edit);
    EXPECT_TRUE(digests.insert(Rebuilt(active)).second) << edit;
  }
}

// The control: the same histories in the tensor's own arithmetic, each edit added to and subtracted
// from rounded weights, do not come back.
TEST_P(Exactness, FloatReAddingDoesNotRestoreTheBase) {
  const std::size_t size = ElementBytes(GetParam());
  Bytes weights = base_;
  const auto apply = [&](const Column& column, int sign) {
    for (std::uint64_t i = 0; i < kRows * kCols; ++i) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, weights.data() + i * size, size);
      const std::int64_t step = std::int64_t{column.a[i / kCols]} * column.b[i % kCols] *
                                (std::int64_t{1} << column.shift);
      bits = RoundElement(GetParam(), bits, sign * step).bits;
      std::memcpy(weights.data() + i * size, &bits, size);
    }
  };
  for (const Column& column : columns_) apply(column, 1);
  for (const Column& column : columns_) apply(column, -1);
  std::size_t different = 0;
  for (std::uint64_t i = 0; i < kRows * kCols; ++i)
    different += std::memcmp(weights.data() + i * size, base_.data() + i * size, size) != 0 ? 1 : 0;
  EXPECT_GT(different, kRows * kCols / 10);
  EXPECT_NE(HashTensor(shape_, weights).value(), HashTensor(shape_, base_).value());
}

INSTANTIATE_TEST_SUITE_P(EditableTypes, Exactness,
                         testing::Values(DType::kBF16, DType::kF16, DType::kF32),
                         [](const testing::TestParamInfo<DType>& type) {
                           return std::string(DTypeName(type.param));
                         });

}  // namespace
}  // namespace emend::storage::delta::exactness_test
