#include "worker/edit/quantising_committer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "worker/model/guard.h"

namespace emend::worker::edit {
namespace {

using storage::delta::Column;
using storage::delta::DType;
using storage::delta::EditDelta;
using storage::delta::MetricSide;
using storage::delta::QuantiseOptions;
using storage::delta::TensorDelta;

constexpr std::uint64_t kBudget = std::uint64_t{1} << 63;

std::span<const double> RowSpan(const at::Tensor& matrix, std::int64_t row) {
  const auto width = static_cast<std::size_t>(matrix.size(1));
  return {matrix.const_data_ptr<double>() + static_cast<std::size_t>(row) * width, width};
}

std::vector<double> SquareRoots(const at::Tensor& squares) {
  const at::Tensor roots = squares.clamp_min(0).sqrt().contiguous();
  return {roots.const_data_ptr<double>(), roots.const_data_ptr<double>() + roots.numel()};
}

// Quantises a layer's outer products. The norm of the solve costs d_ff² a vector; taken for the
// errors of all edits at once it is one product of matrices: a first pass makes single columns and
// collects their errors, a second one splits those that are too coarse.
class LayerQuantiser {
 public:
  LayerQuantiser(const LayerUpdate& update, const EditedTensor& tensor)
      : update_(update),
        tensor_(tensor),
        keys_(update.adjusted_keys.t().contiguous()),
        residuals_(update.residuals.t().contiguous()),
        errors_(at::zeros_like(keys_)) {}

  Result<std::vector<TensorDelta>> Run() {
    std::vector<TensorDelta> deltas;
    for (std::int64_t edit = 0; edit < keys_.size(0); ++edit) {
      EMEND_ASSIGN_OR_RETURN(
          std::vector<Column> columns,
          Quantise(
              edit, [&](std::span<const double> error) { return KeepError(edit, error); }, 1.0));
      deltas.push_back({.tensor = tensor_.name,
                        .rows = tensor_.rows,
                        .cols = tensor_.cols,
                        .columns = std::move(columns)});
    }
    const std::vector<double> error_norms = SquareRoots(update_.metric.SquaredNorms(errors_.t()));
    const std::vector<double> key_norms = SquareRoots(update_.metric.SquaredNorms(keys_.t()));
    for (std::int64_t edit = 0; edit < keys_.size(0); ++edit) {
      if (error_norms[edit] <= QuantiseOptions().relative_error_max * key_norms[edit]) continue;
      EMEND_ASSIGN_OR_RETURN(
          deltas[edit].columns,
          Quantise(
              edit, [&](std::span<const double>) { return error_norms[edit]; }, key_norms[edit]));
    }
    return deltas;
  }

 private:
  // `error_norm` is asked for the norm of what int16 loses of the key's factor, and `key_norm` is
  // the factor's own.
  template <typename ErrorNorm>
  Result<std::vector<Column>> Quantise(std::int64_t edit, const ErrorNorm& error_norm,
                                       double key_norm) {
    const std::span<const double> key = RowSpan(keys_, edit);
    const std::span<const double> residual = RowSpan(residuals_, edit);
    QuantiseOptions options;
    options.metric_side = tensor_.stored_in_out ? MetricSide::kRows : MetricSide::kCols;
    options.metric_norm = [&](std::span<const double> vector) {
      return vector.data() == key.data() ? key_norm : error_norm(vector);
    };
    auto columns = tensor_.stored_in_out ? QuantiseOuterProduct(key, residual, options)
                                         : QuantiseOuterProduct(residual, key, options);
    if (!columns.ok())
      return columns.status().WithContext("fact " + std::to_string(edit) + " at " + tensor_.name);
    return columns;
  }

  double KeepError(std::int64_t edit, std::span<const double> error) {
    std::copy(error.begin(), error.end(),
              errors_.mutable_data_ptr<double>() + edit * errors_.size(1));
    return 0;
  }

  const LayerUpdate& update_;
  const EditedTensor& tensor_;
  const at::Tensor keys_;       // adj as rows, [n, d_ff]
  const at::Tensor residuals_;  // [n, d]
  at::Tensor errors_;           // [n, d_ff]
};

// What is the `part`-th tensor's of all of a layer's.
LayerUpdate PartOf(const LayerUpdate& update, std::size_t part, std::size_t parts) {
  const std::int64_t d_ff = update.adjusted_keys.size(0) / static_cast<std::int64_t>(parts);
  const auto block = static_cast<std::int64_t>(part);
  return {.layer = update.layer,
          .adjusted_keys = update.adjusted_keys.narrow(0, block * d_ff, d_ff),
          .residuals = update.residuals,
          .metric = update.metric.OfBlock(block, d_ff)};
}

Status CheckShapes(const EditedTensor& tensor, const LayerUpdate& update, std::size_t parts) {
  const std::uint64_t d_ff = tensor.stored_in_out ? tensor.rows : tensor.cols;
  const std::uint64_t hidden = tensor.stored_in_out ? tensor.cols : tensor.rows;
  const bool fits = static_cast<std::uint64_t>(update.residuals.size(0)) == hidden &&
                    (!update.adjusted_keys.defined() ||
                     static_cast<std::uint64_t>(update.adjusted_keys.size(0)) == d_ff * parts);
  const std::size_t elements = tensor.range.rows() * tensor.range.cols();
  if (fits && storage::delta::IsEditable(tensor.dtype) &&
      tensor.base.size() == elements * storage::delta::ElementBytes(tensor.dtype) &&
      (tensor.ledger.empty() || tensor.ledger.size() == elements)) {
    return OkStatus();
  }
  return InvalidArgument(
      "committing an update of " + tensor.name + ": the tensor is given as " +
      std::to_string(tensor.rows) + " x " + std::to_string(tensor.cols) + " with " +
      std::to_string(tensor.base.size()) + " bytes and " + std::to_string(tensor.ledger.size()) +
      " ledger elements for this rank's " + std::to_string(tensor.range.rows()) + " x " +
      std::to_string(tensor.range.cols()) + ", which does not fit the update");
}

std::vector<const Column*> ColumnsFor(const std::string& tensor,
                                      const std::vector<EditDelta>& deltas) {
  std::vector<const Column*> columns;
  for (const EditDelta& edit : deltas) {
    const auto found = std::ranges::lower_bound(edit.tensors, tensor, {}, &TensorDelta::tensor);
    if (found == edit.tensors.end() || found->tensor != tensor) continue;
    for (const Column& column : found->columns) columns.push_back(&column);
  }
  return columns;
}

Status CheckBudget(const EditedTensor& tensor, std::span<const Column* const> columns) {
  std::uint64_t bound = tensor.ledger_bound;
  for (const Column* column : columns) {
    const std::uint64_t more = ColumnBound(*column);
    if (bound >= kBudget || more >= kBudget - bound) {
      return {StatusCode::kResourceExhausted, "ledger_overflow",
              "committing an update of " + tensor.name +
                  ": the bound of the sum of its edits reaches 2^63 steps of 2^-48; remove edits, "
                  "or make them smaller"};
    }
    bound += more;
  }
  return OkStatus();
}

Result<at::Tensor> ApplyDeltas(const EditedTensor& tensor, const std::vector<EditDelta>& deltas) {
  const std::vector<const Column*> columns = ColumnsFor(tensor.name, deltas);
  if (columns.empty() && tensor.ledger.empty()) return WidenWeight(tensor, tensor.base);
  EMEND_RETURN_IF_ERROR(CheckBudget(tensor, columns));
  storage::delta::Ledger ledger(tensor.range);
  std::copy(tensor.ledger.begin(), tensor.ledger.end(), ledger.mutable_values().begin());
  AddColumns(columns, ledger);
  std::vector<std::uint8_t> served(tensor.base.size());
  EMEND_RETURN_IF_ERROR(
      ServeWeights(ledger, tensor.dtype, tensor.base, served).WithContext(tensor.name));
  return WidenWeight(tensor, served);
}

std::string Purpose(const LayerUpdate& update) {
  return "committing an update of layer " + std::to_string(update.layer.value());
}

}  // namespace

Result<std::span<const EditedTensor>> QuantisingCommitter::TensorsFor(
    const LayerUpdate& update) const {
  const auto tensors = tensors_.find(update.layer);
  if (tensors == tensors_.end())
    return InvalidArgument(Purpose(update) + ": the committer was given no tensor for this layer");
  for (const EditedTensor& tensor : tensors->second)
    EMEND_RETURN_IF_ERROR(CheckShapes(tensor, update, tensors->second.size()));
  return std::span<const EditedTensor>(tensors->second);
}

Result<std::vector<EditDelta>> QuantisingCommitter::Quantise(const LayerUpdate& update) {
  EMEND_ASSIGN_OR_RETURN(const auto tensors, TensorsFor(update));
  return model::Guarded(Purpose(update), [&]() -> Result<std::vector<EditDelta>> {
    const at::NoGradGuard no_grad;
    std::vector<EditDelta> edits(static_cast<std::size_t>(update.residuals.size(1)));
    for (std::size_t part = 0; part < tensors.size(); ++part) {
      const LayerUpdate own = PartOf(update, part, tensors.size());
      EMEND_ASSIGN_OR_RETURN(auto deltas, LayerQuantiser(own, tensors[part]).Run());
      for (std::size_t edit = 0; edit < edits.size(); ++edit) {
        if (tensors.size() == 1 || !deltas[edit].columns.empty())
          edits[edit].tensors.push_back(std::move(deltas[edit]));
      }
    }
    for (EditDelta& edit : edits) std::ranges::sort(edit.tensors, {}, &TensorDelta::tensor);
    return edits;
  });
}

Result<at::Tensor> QuantisingCommitter::Apply(const LayerUpdate& update,
                                              const std::vector<EditDelta>& deltas) {
  EMEND_ASSIGN_OR_RETURN(const auto tensors, TensorsFor(update));
  return model::Guarded(Purpose(update), [&]() -> Result<at::Tensor> {
    const at::NoGradGuard no_grad;
    std::vector<at::Tensor> weights;
    for (const EditedTensor& tensor : tensors) {
      EMEND_ASSIGN_OR_RETURN(weights.emplace_back(), ApplyDeltas(tensor, deltas));
    }
    return weights.size() == 1 ? weights[0] : at::cat(weights);
  });
}

Result<at::Tensor> WidenWeight(const EditedTensor& tensor, std::span<const std::uint8_t> bytes) {
  at::ScalarType type = at::kFloat;
  switch (tensor.dtype) {
    case DType::kF32: type = at::kFloat; break;
    case DType::kF16: type = at::kHalf; break;
    case DType::kBF16: type = at::kBFloat16; break;
    default:
      return Unsupported("widening " + tensor.name + ": its type is " +
                         std::string(storage::delta::DTypeName(tensor.dtype)) +
                         ", expected BF16, F16 or F32");
  }
  const auto rows = static_cast<std::int64_t>(tensor.range.rows()),
             cols = static_cast<std::int64_t>(tensor.range.cols());
  if (bytes.size() !=
      tensor.range.rows() * tensor.range.cols() * storage::delta::ElementBytes(tensor.dtype)) {
    return InvalidArgument("widening " + tensor.name + ": found " + std::to_string(bytes.size()) +
                           " bytes for " + std::to_string(rows) + " x " + std::to_string(cols) +
                           " elements");
  }
  return model::Guarded("widening " + tensor.name, [&]() -> Result<at::Tensor> {
    // from_blob wants a mutable pointer; nothing is written through it, and the result is a copy.
    void* data = const_cast<std::uint8_t*>(bytes.data());
    const at::Tensor stored = at::from_blob(data, {rows, cols}, at::TensorOptions(type));
    return (tensor.stored_in_out ? stored : stored.t())
        .to(at::kFloat)
        .clone(at::MemoryFormat::Contiguous);
  });
}

}  // namespace emend::worker::edit
