// A checkpoint folder made from a golden one, with something changed.
//
//   ModelFolder folder(kNanoSort);
//   folder.config()["n_layer"] = 4;
//   EXPECT_THAT(folder.Load(), StatusIs(StatusCode::kInvalidArgument, "missing_tensor"));
#pragma once

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/storage/checkpoint/write_tensors.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/model/model_fixture.h"

namespace emend::test {

class ModelFolder {
 public:
  explicit ModelFolder(const std::string& golden) {
    std::ifstream file(golden + "/config.json");
    config_ = nlohmann::json::parse(file);
    auto checkpoint = storage::checkpoint::Checkpoint::Open(golden);
    EMEND_CHECK(checkpoint.ok(), checkpoint.status().ToString());
    for (const auto& [name, view] : (*checkpoint)->tensors()) {
      tensors_.push_back({.name = name,
                          .dtype = view.dtype,
                          .shape = view.shape,
                          .bytes = {view.bytes.begin(), view.bytes.end()}});
    }
  }

  nlohmann::json& config() { return config_; }
  // Replaces the whole file.
  void SetConfigText(const std::string& text) { config_text_ = text; }

  storage::checkpoint::NewTensor& tensor(const std::string& name) {
    for (storage::checkpoint::NewTensor& each : tensors_) {
      if (each.name == name) return each;
    }
    EMEND_CHECK(false, "no tensor " + name);
  }
  void Add(const std::string& name, const at::Tensor& values) {
    const at::Tensor stored = values.to(at::kFloat).contiguous();
    const auto* const bytes = static_cast<const std::uint8_t*>(stored.const_data_ptr());
    tensors_.push_back({.name = name,
                        .dtype = storage::delta::DType::kF32,
                        .shape = {stored.sizes().begin(), stored.sizes().end()},
                        .bytes = {bytes, bytes + stored.nbytes()}});
  }
  void Remove(const std::string& name) {
    std::erase_if(tensors_, [&](const auto& each) { return each.name == name; });
  }
  void Rename(const std::function<std::string(const std::string&)>& new_name) {
    for (storage::checkpoint::NewTensor& each : tensors_) each.name = new_name(each.name);
  }
  // Stores every tensor in `type`, rounded.
  void Narrow(at::ScalarType type, storage::delta::DType dtype) {
    for (storage::checkpoint::NewTensor& each : tensors_) {
      const auto count = static_cast<std::int64_t>(each.bytes.size() / sizeof(float));
      const at::Tensor narrow = at::from_blob(each.bytes.data(), {count}, at::kFloat).to(type);
      const auto* const bytes = static_cast<const std::uint8_t*>(narrow.const_data_ptr());
      each.dtype = dtype;
      each.bytes.assign(bytes, bytes + narrow.nbytes());
    }
  }

  // Where the changed files are.
  Result<std::string> Write() {
    std::ofstream(folder_.path() + "/config.json")
        << (config_text_.empty() ? config_.dump() : config_text_);
    EMEND_RETURN_IF_ERROR(
        storage::checkpoint::WriteSafetensors(folder_.path() + "/model.safetensors", tensors_, {}));
    return folder_.path();
  }
  Result<LoadedModel> Load() {
    EMEND_ASSIGN_OR_RETURN(const std::string path, Write());
    return TryLoad(path);
  }

 private:
  TemporaryFolder folder_;
  nlohmann::json config_;
  std::string config_text_;
  std::vector<storage::checkpoint::NewTensor> tensors_;
};

}  // namespace emend::test
