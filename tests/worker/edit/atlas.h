// The demo model atlas, its facts and the published code's figures on it, for tests and benchmarks
// of worker/edit.
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "storage/checkpoint/safetensors.h"
#include "tests/support/kept_file.h"
#include "tests/worker/edit/corpus.h"
#include "worker/collective/communicator.h"
#include "worker/edit/quantising_committer.h"
#include "worker/edit/solve_batch.h"
#include "worker/edit/statistics.h"

namespace emend::worker::edit {

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EMEND_CHECK(file.good(), "cannot read " + path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

template <typename T>
T ValueOf(Result<T> result) {
  EMEND_CHECK(result.ok(), result.status().ToString());
  return std::move(result).value();
}

struct Atlas {
  // Another model's folder measures that one on the same facts and corpus.
  std::string folder = "docs/examples/atlas/model";
  std::unique_ptr<storage::checkpoint::Checkpoint> checkpoint =
      ValueOf(storage::checkpoint::Checkpoint::Open(folder));
  std::unique_ptr<collective::Communicator> communicator = collective::NewSingleRankCommunicator();
  std::unique_ptr<model::Transformer> model =
      ValueOf(model::Transformer::Load(*checkpoint, *communicator));
  std::unique_ptr<tokenizer::Tokenizer> tokenizer =
      ValueOf(tokenizer::Tokenizer::Open(folder + "/tokenizer.json"));

  std::vector<EditFact> Facts(std::size_t begin, std::size_t count) const {
    const nlohmann::json records =
        nlohmann::json::parse(ReadText("docs/examples/atlas/facts.json"));
    std::vector<EditFact> facts;
    for (std::size_t i = begin; i < begin + count; ++i) {
      const nlohmann::json& rewrite = records.at(i).at("requested_rewrite");
      facts.push_back({.prompt = rewrite.at("prompt"),
                       .subject = rewrite.at("subject"),
                       .target = rewrite.at("target_new").at("str")});
    }
    return facts;
  }

  // Over the lines that the published code's figures were taken over.
  Statistics TakeStatistics(const std::vector<LayerIndex>& layers) const {
    const std::vector<std::string> lines =
        SelectCorpusLines(ReadText("docs/examples/atlas/corpus.txt"), 2000);
    return ValueOf(ComputeStatistics(*model, *tokenizer, lines,
                                     {.layers = layers, .tokens_max = 0, .progress = {}}));
  }
  // The same, taken once for all tests of this program.
  Statistics KeptStatistics(const std::vector<LayerIndex>& layers) const {
    std::string name = "statistics";
    for (const LayerIndex layer : layers) name += "." + std::to_string(layer.value());
    const std::string path = emend::test::KeptFile(
        name, {"docs/examples/atlas/model/model.safetensors", "docs/examples/atlas/corpus.txt"},
        [&](const std::string& to) {
          const Status saved = SaveStatistics(TakeStatistics(layers), "", to, *communicator);
          EMEND_CHECK(saved.ok(), saved.ToString());
        });
    return ValueOf(LoadStatistics(path, "", *communicator));
  }

  // The base state: no edits.
  std::map<LayerIndex, std::vector<EditedTensor>> Tensors(
      const std::vector<LayerIndex>& layers) const {
    std::map<LayerIndex, std::vector<EditedTensor>> tensors;
    for (const LayerIndex layer : layers) {
      const model::DownProjection& down = model->Down(layer);
      const storage::checkpoint::TensorView view = ValueOf(checkpoint->Find(down.tensors[0]));
      tensors[layer] = {{.name = down.tensors[0],
                         .dtype = view.dtype,
                         .stored_in_out = down.stored_in_out,
                         .rows = view.shape[0],
                         .cols = view.shape[1],
                         .range = {0, view.shape[0], 0, view.shape[1]},
                         .base = view.bytes,
                         .ledger = {},
                         .ledger_bound = 0}};
    }
    return tensors;
  }
};

struct MemitGolden {
  static constexpr const char* kFolder = "tests/golden/memit-atlas/";
  nlohmann::json json = nlohmann::json::parse(ReadText(std::string(kFolder) + "golden.json"));
  std::string bytes = ReadText(std::string(kFolder) + "golden.safetensors");

  // fp32 or int32, on the CPU.
  at::Tensor Tensor(const std::string& name) const {
    const std::span<const std::uint8_t> file(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                             bytes.size());
    for (const storage::checkpoint::TensorView& view :
         ValueOf(storage::checkpoint::ParseSafetensors(file, "golden.safetensors"))) {
      if (view.name != name) continue;
      const std::vector<std::int64_t> shape(view.shape.begin(), view.shape.end());
      at::Tensor tensor =
          at::empty(shape, view.dtype == storage::delta::DType::kI32 ? at::kInt : at::kFloat);
      std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
      return tensor;
    }
    EMEND_CHECK(false, "the golden holds no " + name);
  }
  at::Tensor OfLayer(const std::string& name, LayerIndex layer) const {
    return Tensor(name + "_layer" + std::to_string(layer.value()));
  }

  protocol::SolveSettings Settings() const {
    const nlohmann::json& given = json.at("hyper_parameters");
    protocol::SolveSettings settings = *protocol::DefaultSettings("memit", 6);
    settings.layers.clear();
    for (const int layer : given.at("layers")) settings.layers.emplace_back(layer);
    settings.v_lr = given.at("v_lr");
    settings.v_num_grad_steps = given.at("v_num_grad_steps");
    settings.v_weight_decay = given.at("v_weight_decay");
    settings.clamp_norm_factor = given.at("clamp_norm_factor");
    settings.kl_factor = given.at("kl_factor");
    settings.mom2_update_weight = given.at("mom2_update_weight");
    settings.ridge = json.at("covariance").at("ridge");
    settings.v_bf16 = 0;
    settings.context_templates =
        json.at("context_templates").get<std::vector<std::vector<std::string>>>();
    return settings;
  }
};

// ‖a − b‖ / ‖b‖.
inline double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor expected = b.to(at::kDouble);
  return ((a.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

}  // namespace emend::worker::edit
