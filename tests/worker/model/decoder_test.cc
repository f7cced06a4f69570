// A block's optional parts, which no golden model has, against the plainest way to compute them.
#include "worker/model/decoder.h"

#include <cmath>

#include "tests/worker/model/model_fixture.h"

namespace emend::worker::model::decoder_test {
namespace {

using families::ModelConfig;
using test::LargestDifference;

constexpr double kTolerance = 1e-5;
constexpr std::int64_t kTokens = 5, kWidth = 12, kHeadDim = 4, kInner = 16;

// Two layers, three heads that share one key/value head.
ModelConfig Config() {
  ModelConfig config;
  config.layers = 2;
  config.hidden = kWidth;
  config.intermediate = kInner;
  config.heads = 3;
  config.kv_heads = 1;
  config.head_dim = kHeadDim;
  config.vocabulary = 10;
  config.context = kTokens;
  config.norm = families::NormKind::kRootMeanSquare;
  config.norm_epsilon = 1e-5;
  config.activation = families::Activation::kSilu;
  config.gated = true;
  return config;
}

at::Tensor Random(at::IntArrayRef shape) { return at::randn(shape).mul_(0.5); }

Rotation RotationOf(double theta) {
  const at::Tensor places = at::arange(kTokens, at::kFloat);
  const at::Tensor frequencies =
      at::tensor({1.0, 1.0 / std::sqrt(theta)}, at::TensorOptions(at::kFloat));
  const at::Tensor angles = at::outer(places, frequencies);
  return {.cosine = at::cos(angles), .sine = at::sin(angles)};
}

Block RandomBlock() {
  Block block;
  block.attention_norm = {Random({kWidth}), {}};
  block.query_key_value = {Random({kWidth, 5 * kHeadDim}), Random({5 * kHeadDim})};
  block.attention_out = {Random({3 * kHeadDim, kWidth}), {}};
  block.mlp_norm = {Random({kWidth}), {}};
  block.up = {Random({kWidth, 2 * kInner}), {}};
  block.down = {Random({kInner, kWidth}), Random({kWidth})};
  return block;
}

class DecoderTest : public testing::Test {
 protected:
  DecoderTest() {
    at::manual_seed(3);
    for (Block& block : blocks_) block = RandomBlock();
  }

  at::Tensor Run() const {
    DecoderWeights weights;
    weights.token_embedding = weights.head = embedding_;
    weights.blocks = blocks_;
    weights.final_norm = {final_norm_, {}};
    const ModelConfig config = Config();
    const auto shard = families::PlanShard(config, 0, 1);
    return test::Forward(Decoder(config, *shard, std::move(weights), *communicator_), ids_)[0];
  }

  // Head by head, token by token.
  static at::Tensor Norm1(const at::Tensor& row, const at::Tensor& weight) {
    const double mean = row.square().mean().item<double>();
    return row / std::sqrt(mean + 1e-5) * weight;
  }
  static at::Tensor Normed(const at::Tensor& rows, const std::optional<Norm>& norm) {
    if (!norm) return rows;
    std::vector<at::Tensor> out;
    for (std::int64_t i = 0; i < rows.size(0); ++i) out.push_back(Norm1(rows[i], norm->weight));
    return at::stack(out);
  }
  static at::Tensor Turned(const at::Tensor& row, const std::optional<Rotation>& rotation,
                           std::int64_t place) {
    if (!rotation) return row;
    at::Tensor out = row.clone();
    for (std::int64_t i = 0; i < kHeadDim / 2; ++i) {
      const at::Tensor c = rotation->cosine[place][i], s = rotation->sine[place][i];
      out[i] = row[i] * c - row[i + kHeadDim / 2] * s;
      out[i + kHeadDim / 2] = row[i + kHeadDim / 2] * c + row[i] * s;
    }
    return out;
  }
  static at::Tensor PlainBlock(const Block& block, const at::Tensor& hidden) {
    const at::Tensor all =
        Normed(hidden, block.attention_norm).matmul(block.query_key_value.weight) +
        block.query_key_value.bias;
    const auto head = [&](std::int64_t index, const std::optional<Norm>& norm, bool turned) {
      at::Tensor rows = Normed(all.narrow(1, index * kHeadDim, kHeadDim), norm);
      std::vector<at::Tensor> out;
      for (std::int64_t place = 0; place < kTokens; ++place)
        out.push_back(turned ? Turned(rows[place], block.rotation, place) : rows[place]);
      return at::stack(out);
    };
    const at::Tensor key = head(3, block.key_norm, true), value = head(4, std::nullopt, false);
    std::vector<at::Tensor> contexts;
    for (std::int64_t i = 0; i < 3; ++i) {
      at::Tensor scores = head(i, block.query_norm, true).matmul(key.t()) / 2.0;  // sqrt(head_dim)
      scores = scores + at::full({kTokens, kTokens}, -INFINITY).triu(1);
      contexts.push_back(at::softmax(scores, 1).matmul(value));
    }
    const at::Tensor attended = at::cat(contexts, 1).matmul(block.attention_out.weight);
    const at::Tensor residual = hidden + Normed(attended, block.attention_post_norm);
    const at::Tensor up = Normed(residual, block.mlp_norm).matmul(block.up.weight);
    const at::Tensor inner = at::silu(up.narrow(1, 0, kInner)) * up.narrow(1, kInner, kInner);
    return residual +
           Normed(inner.matmul(block.down.weight) + block.down.bias, block.mlp_post_norm);
  }
  at::Tensor Plain() const {
    at::Tensor hidden = embedding_.index_select(0, ids_[0]);
    for (const Block& block : blocks_) hidden = PlainBlock(block, hidden);
    return Normed(hidden, Norm{final_norm_, {}}).matmul(embedding_.t());
  }
  void ExpectAsPlain() const { EXPECT_LT(LargestDifference(Run(), Plain()), kTolerance); }

  const std::unique_ptr<collective::Communicator> communicator_ =
      collective::NewSingleRankCommunicator();
  at::Tensor embedding_ = Random({10, kWidth}), final_norm_ = Random({kWidth});
  const at::Tensor ids_ = at::tensor({3, 1, 4, 1, 9}, at::kLong).unsqueeze(0);
  std::vector<Block> blocks_ = std::vector<Block>(2);
};

TEST_F(DecoderTest, ABlockWithoutOptionalPartsIsThePlainOne) { ExpectAsPlain(); }

TEST_F(DecoderTest, QueriesAndKeysAreNormedHeadByHeadBeforeTheyAreRotated) {
  const at::Tensor without = Run();
  blocks_[0].query_norm = Norm{Random({kHeadDim}), {}};
  blocks_[0].key_norm = Norm{Random({kHeadDim}), {}};
  blocks_[0].rotation = RotationOf(100);
  blocks_[1].key_norm = Norm{Random({kHeadDim}), {}};
  ExpectAsPlain();
  EXPECT_GT(LargestDifference(Run(), without), 100 * kTolerance);
}

TEST_F(DecoderTest, EachLayerHasItsOwnRotationOrNone) {
  blocks_[1].rotation = RotationOf(100);
  ExpectAsPlain();
  const at::Tensor one = Run();
  blocks_[0].rotation = RotationOf(9);
  ExpectAsPlain();
  EXPECT_GT(LargestDifference(Run(), one), 100 * kTolerance);
}

TEST_F(DecoderTest, WhatAHalfPutsOutIsNormedBeforeItIsAdded) {
  const at::Tensor without = Run();
  blocks_[0].attention_post_norm = Norm{Random({kWidth}), {}};
  blocks_[1].mlp_post_norm = Norm{Random({kWidth}), {}};
  ExpectAsPlain();
  EXPECT_GT(LargestDifference(Run(), without), 100 * kTolerance);
}

}  // namespace
}  // namespace emend::worker::model::decoder_test
