// Attention against its formula, written out head by head.
#include "worker/model/attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace emend::test::attention_test {
namespace {

using worker::model::Attention;
using worker::model::AttentionInput;

struct Shape {
  std::int64_t batch, heads, kv_heads, tokens, past, head_dim;
};

AttentionInput RandomInput(const Shape& shape) {
  const std::int64_t total = shape.past + shape.tokens;
  return {.queries = at::randn({shape.batch, shape.heads, shape.tokens, shape.head_dim}),
          .keys = at::randn({shape.batch, shape.kv_heads, total, shape.head_dim}),
          .values = at::randn({shape.batch, shape.kv_heads, total, shape.head_dim}),
          .mask = {}};
}

at::Tensor CausalMask(const Shape& shape) {
  return at::full({shape.tokens, shape.past + shape.tokens},
                  -std::numeric_limits<double>::infinity(), at::kDouble)
      .triu(shape.past + 1);
}

at::Tensor Reference(const AttentionInput& input, const Shape& shape, const at::Tensor& mask) {
  std::vector<at::Tensor> heads;
  for (std::int64_t head = 0; head < shape.heads; ++head) {
    const std::int64_t kv_head = head / (shape.heads / shape.kv_heads);
    const at::Tensor q = input.queries.select(1, head).to(at::kDouble),
                     k = input.keys.select(1, kv_head).to(at::kDouble);
    const at::Tensor scores =
        at::div(at::bmm(q, k.transpose(1, 2)), std::sqrt(static_cast<double>(shape.head_dim)));
    heads.push_back(at::bmm(at::softmax(at::add(scores, mask), -1),
                            input.values.select(1, kv_head).to(at::kDouble)));
  }
  return at::cat(heads, -1).to(at::kFloat);
}

const std::vector<Shape> kShapes = {{3, 4, 4, 1, 0, 8},  {3, 4, 4, 1, 9, 8},   {2, 4, 2, 5, 0, 8},
                                    {2, 6, 2, 5, 7, 8},  {2, 4, 4, 40, 0, 8},  {2, 4, 2, 40, 0, 8},
                                    {2, 4, 2, 40, 9, 8}, {1, 2, 1, 16, 300, 4}};

TEST(AttentionTest, CausalAttentionEqualsTheFormula) {
  at::manual_seed(1);
  for (const Shape& shape : kShapes) {
    const AttentionInput input = RandomInput(shape);
    const at::Tensor out = Attention(input);
    EXPECT_TRUE(at::allclose(out, Reference(input, shape, CausalMask(shape)), 1e-5, 1e-5))
        << shape.tokens << " tokens over " << shape.past;
    EXPECT_TRUE(out.is_contiguous());
  }
}

TEST(AttentionTest, MaskedAttentionEqualsTheFormula) {
  at::manual_seed(2);
  for (const Shape& shape : kShapes) {
    AttentionInput input = RandomInput(shape);
    const std::int64_t total = shape.past + shape.tokens;
    input.mask = at::randn({shape.batch, 1, shape.tokens, total});
    EXPECT_TRUE(at::allclose(Attention(input),
                             Reference(input, shape, input.mask.squeeze(1).to(at::kDouble)), 1e-5,
                             1e-5));
    input.mask = at::randn({1, 1, 1, total});
    EXPECT_TRUE(at::allclose(Attention(input),
                             Reference(input, shape, input.mask.squeeze(1).to(at::kDouble)), 1e-5,
                             1e-5));
  }
}

}  // namespace
}  // namespace emend::test::attention_test
