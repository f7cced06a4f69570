// Devices: what cannot be opened is said, and nothing in the model or in the target loop is made on
// the CPU while the weights lie elsewhere. There may be no GPU: ATen's "meta" device has shapes and
// devices but no data, and refuses an operation over two devices as CUDA does.
#include "worker/model/device.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <set>

#include "tests/support/status_matchers.h"
#include "tests/worker/collective/rank_group.h"
#include "tests/worker/model/model_fixture.h"
#include "tests/worker/model/second_device.h"
#include "worker/model/transformer.h"

namespace emend::worker::model::device_test {
namespace {

using test::IsOk;
using test::kStories;
using test::SecondDevice;
using test::StatusIs;

TEST(DeviceTest, TheCpuIsAlwaysThereAndComputesExactly) {
  ASSERT_OK_AND_ASSIGN(const at::Device device, OpenDevice("cpu"));
  EXPECT_TRUE(device.is_cpu());
  EXPECT_THAT(CheckArithmetic(device), IsOk());
}

TEST(DeviceTest, OtherNamesAreRefused) {
  for (const char* const name :
       {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1000", "CUDA", "cpu:0"}) {
    EXPECT_THAT(OpenDevice(name), StatusIs(StatusCode::kInvalidArgument)) << name;
  }
}

TEST(DeviceTest, AGpuOpensOrIsMissedByName) {
  const auto opened = OpenDevice("cuda");
  if (opened.ok()) {
    EXPECT_TRUE(opened->is_cuda());
    EXPECT_THAT(CheckArithmetic(*opened), IsOk());
    return;
  }
  EXPECT_EQ(opened.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ((std::set<std::string>{"cuda_missing", "no_cuda_device"}).count(opened.status().slug()),
            1U)
      << opened.status().ToString();
}

struct Case {
  const char* name;
  std::string folder;
  int ranks;
};
std::ostream& operator<<(std::ostream& out, const Case& each) {
  return out << each.name << each.ranks;
}

class SecondDeviceTest : public testing::TestWithParam<Case> {
 protected:
  SecondDeviceTest()
      : checkpoint_(std::move(storage::checkpoint::Checkpoint::Open(GetParam().folder)).value()) {}

  std::unique_ptr<Transformer> Load(collective::Communicator& communicator,
                                    at::Device device) const {
    auto loaded = Transformer::Load(*checkpoint_, communicator, device);
    EMEND_CHECK(loaded.ok(), loaded.status().ToString());
    return std::move(*loaded);
  }

  const std::unique_ptr<storage::checkpoint::Checkpoint> checkpoint_;
};
INSTANTIATE_TEST_SUITE_P(Models, SecondDeviceTest,
                         testing::Values(Case{"atlas", "docs/examples/atlas/model", 1},
                                         Case{"atlas", "docs/examples/atlas/model", 2},
                                         Case{"stories", kStories, 1},
                                         Case{"stories", kStories, 4}),
                         testing::PrintToStringParamName());

TEST(SecondDeviceItselfTest, DoesNotMixWithTheCpu) {
  const at::Tensor there = at::ones({2, 2}).to(SecondDevice()), here = at::ones({2, 2});
  EXPECT_ANY_THROW(there.add(here));
  EXPECT_ANY_THROW(there.matmul(here));
  EXPECT_ANY_THROW(at::cat({there, here}));
  EXPECT_ANY_THROW(at::embedding(there, at::zeros({1}, at::kLong)));
  EXPECT_TRUE(at::equal(there.add(there).cpu(), here.mul(2)));
  EXPECT_THAT(CheckArithmetic(SecondDevice()), IsOk());
}

// What comes out of a pass, and the gradient of what went in.
struct Outcome {
  at::Tensor logits;
  at::Tensor gradient;
};

// Short texts and long ones, with and without a past and a mask, take other ways through attention.
struct Pass {
  std::int64_t tokens;
  std::int64_t past_tokens;
  bool masked;
};

Outcome RunPass(const Transformer& model, const Pass& pass, at::Device device) {
  const std::int64_t total = pass.past_tokens + pass.tokens;
  const at::Tensor ids = at::arange(2 * pass.tokens, at::kLong)
                             .mul(37)
                             .remainder(model.config().vocabulary)
                             .view({2, pass.tokens})
                             .to(device);
  const at::Tensor positions =
      at::arange(pass.past_tokens, total, at::kLong).expand({2, pass.tokens}).to(device);
  at::Tensor mask;
  if (pass.masked)
    mask = at::full({pass.tokens, total}, -1e30, at::kFloat)
               .triu_(pass.past_tokens + 1)
               .expand({2, 1, pass.tokens, total})
               .contiguous()
               .to(device);
  const at::Tensor kept =
      at::arange(2 * model.shard().kv_heads.size * pass.past_tokens * model.config().head_dim,
                 at::kFloat)
          .mul(0.1)
          .sin()
          .view({2, model.shard().kv_heads.size, pass.past_tokens, model.config().head_dim})
          .to(device);
  const PastKeyValues past{kept, kept};
  at::Tensor hidden = model.Embed(ids, positions).detach().set_requires_grad(true);
  const at::Tensor input = hidden;
  for (std::int32_t layer = 0; layer < model.config().layers; ++layer) {
    const BlockHalf half =
        model.Attend(LayerIndex(layer), {.hidden = hidden,
                                         .positions = positions,
                                         .mask = mask,
                                         .past = pass.past_tokens == 0 ? nullptr : &past});
    EXPECT_EQ(model.GatherKeys(LayerIndex(layer), half.key).device(), device);
    hidden = model.Finish(LayerIndex(layer), half);
  }
  const at::Tensor logits = model.Logits(model.FinalNorm(hidden));
  EXPECT_EQ(logits.device(), device);
  // Ranks that are threads have one thread of autograd's for their device, where they would wait
  // for each other.
  if (model.shard().ranks > 1) return {logits.detach().cpu(), at::zeros({1})};
  const at::Tensor gradient = torch::autograd::grad({logits}, {input}, {at::ones_like(logits)})[0];
  EXPECT_EQ(gradient.device(), device);
  return {logits.detach().cpu(), gradient.cpu()};
}

TEST_P(SecondDeviceTest, PassesThereAndBackAreThoseOfTheCpu) {
  test::OnEachRank(GetParam().ranks, [&](collective::Communicator& communicator) {
    const std::unique_ptr<Transformer> here = Load(communicator, at::kCPU),
                                       there = Load(communicator, SecondDevice());
    for (const Pass& pass : {Pass{1, 0, false}, Pass{5, 0, false}, Pass{5, 6, false},
                             Pass{5, 6, true}, Pass{40, 0, false}, Pass{40, 6, true}}) {
      const Outcome expected = RunPass(*here, pass, at::kCPU),
                    found = RunPass(*there, pass, SecondDevice());
      EXPECT_LT(test::LargestDifference(found.logits, expected.logits), 1e-4);
      EXPECT_LT(test::LargestDifference(found.gradient, expected.gradient),
                1e-4 * (1 + expected.gradient.abs().max().item<double>()));
    }
  });
}

TEST_P(SecondDeviceTest, OtherDownWeightsServeThere) {
  const auto single = collective::NewSingleRankCommunicator();
  const std::unique_ptr<Transformer> model = Load(*single, SecondDevice());
  const auto other =
      model->WithDownWeights({{LayerIndex(1), at::zeros_like(model->DownWeight(LayerIndex(1)))}});
  const at::Tensor ids = at::zeros({1, 3}, at::kLong).to(SecondDevice());
  const BlockHalf half = other->Attend(
      LayerIndex(1), {.hidden = other->Embed(ids, ids), .positions = ids, .mask = {}});
  EXPECT_EQ(other->Finish(LayerIndex(1), half).device(), SecondDevice());
}

}  // namespace
}  // namespace emend::worker::model::device_test
