// A row of a scoring batch: a prompt with all its targets behind it. Internal to worker/eval.
//
// With the targets [A0 A1 A2] and [B0 B1] behind the prompt [P0 P1], the row is
//
//   token      P0 P1 A0 A1 B0
//       (the last token of a target predicts nothing that is asked for)
//   position    0  1  2  3  2
//
// P1 predicts A0 and B0, A0 predicts A1, A1 A2, B0 B1. The branch B is closed to the branch A.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "worker/eval/score.h"

namespace emend::worker::eval {

// One target token to be scored.
struct Query {
  std::int64_t request = 0;
  std::int64_t target = 0;
  std::int64_t place = 0;  // in the row: the token whose logits predict it
  tokenizer::TokenId token = 0;
};

struct Branch {
  std::int64_t begin = 0;  // in the row
  std::int64_t end = 0;
};

struct Row {
  std::int64_t prompt_tokens = 0;
  std::vector<tokenizer::TokenId> tokens;
  std::vector<std::int64_t> positions;
  std::vector<Branch> branches;  // without empty ones
  std::vector<Query> queries;
  std::int64_t length() const { return static_cast<std::int64_t>(tokens.size()); }
};

Row MakeRow(const ScoreRequest& request, std::int64_t request_index);

struct RowBatch {
  at::Tensor ids;        // [rows, length] int64, zeros where a row is shorter
  at::Tensor positions;  // [rows, length] int64
  // [rows, 1, length, length], or undefined where no row has two branches: padding on the right
  // needs none
  at::Tensor mask;
};

// `rows` is not empty.
RowBatch StackRows(std::span<const Row> rows);

}  // namespace emend::worker::eval
