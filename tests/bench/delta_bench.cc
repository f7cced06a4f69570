// How fast tensors are rebuilt, served and hashed. Run: build/.../bench/emend_bench_delta
#include <benchmark/benchmark.h>

#include <random>

#include "storage/delta/rebuild.h"
#include "tests/storage/delta/ledger_columns.h"

namespace emend::storage::delta {
namespace {

constexpr std::uint64_t kRows = 2048;
constexpr std::uint64_t kCols = 256;

std::vector<Column> RandomColumns(std::size_t count) {
  std::mt19937_64 engine(1);
  std::uniform_int_distribution<int> factor(-32767, 32767);
  std::uniform_int_distribution<int> shift(6, 12);
  std::vector<Column> columns(count);
  for (Column& column : columns) {
    column.shift = static_cast<std::uint8_t>(shift(engine));
    for (std::uint64_t i = 0; i < kRows; ++i)
      column.a.push_back(static_cast<std::int16_t>(factor(engine)));
    for (std::uint64_t i = 0; i < kCols; ++i)
      column.b.push_back(static_cast<std::int16_t>(factor(engine)));
  }
  return columns;
}

// Weights of deviation 0.02.
std::vector<std::uint8_t> RandomWeights(DType dtype) {
  std::mt19937_64 engine(2);
  std::normal_distribution<float> normal(0.0F, 0.02F);
  std::vector<std::uint8_t> bytes;
  for (std::uint64_t i = 0; i < kRows * kCols; ++i) {
    const auto grid = static_cast<std::int64_t>(static_cast<double>(normal(engine)) *
                                                static_cast<double>(std::int64_t{1} << 48));
    Ledger one(TensorRange{0, 1, 0, 1});
    one.mutable_values()[0] = grid;
    std::vector<std::uint8_t> zero(ElementBytes(dtype));
    if (!ServeWeights(one, dtype, zero, zero).ok()) std::abort();
    bytes.insert(bytes.end(), zero.begin(), zero.end());
  }
  return bytes;
}

void SetBytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

// Arguments: columns, threads.
void BM_Rebuild(benchmark::State& state) {
  const std::vector<Column> columns = RandomColumns(static_cast<std::size_t>(state.range(0)));
  std::vector<const Column*> pointers;
  for (const Column& column : columns) pointers.push_back(&column);
  const TensorShape shape{DType::kBF16, kRows, kCols};
  const std::vector<std::uint8_t> base = RandomWeights(shape.dtype);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        RebuildTensor(shape, base, pointers, static_cast<std::size_t>(state.range(1))));
  state.counters["products/s"] =
      benchmark::Counter(static_cast<double>(kRows * kCols) * static_cast<double>(state.range(0)),
                         benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(BM_Rebuild)
    ->Args({100, 1})
    ->Args({1000, 1})
    ->Args({1000, 2})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_LedgerAdd(benchmark::State& state) {
  const Column column = RandomColumns(1).front();
  Ledger ledger(TensorRange{0, kRows, 0, kCols});
  for (auto _ : state) {
    AddColumn(ledger, column);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_LedgerAdd)->Unit(benchmark::kMillisecond);

// Argument: the dtype's number.
void BM_ServeWeights(benchmark::State& state) {
  const auto dtype = static_cast<DType>(state.range(0));
  const std::vector<std::uint8_t> base = RandomWeights(dtype);
  std::vector<std::uint8_t> served(base.size());
  Ledger ledger(TensorRange{0, kRows, 0, kCols});
  for (const Column& column : RandomColumns(10)) AddColumn(ledger, column);
  for (auto _ : state) {
    if (!ServeWeights(ledger, dtype, base, served).ok())
      state.SkipWithError("a weight is not finite");
    benchmark::ClobberMemory();
  }
  SetBytes(state, base.size());
}
BENCHMARK(BM_ServeWeights)
    ->Arg(static_cast<int>(DType::kBF16))
    ->Arg(static_cast<int>(DType::kF16))
    ->Arg(static_cast<int>(DType::kF32))
    ->Unit(benchmark::kMillisecond);

void BM_HashTensor(benchmark::State& state) {
  const TensorShape shape{DType::kBF16, kRows, kCols};
  const std::vector<std::uint8_t> bytes = RandomWeights(shape.dtype);
  for (auto _ : state) benchmark::DoNotOptimize(HashTensor(shape, bytes));
  SetBytes(state, bytes.size());
}
BENCHMARK(BM_HashTensor);

}  // namespace
}  // namespace emend::storage::delta

BENCHMARK_MAIN();
