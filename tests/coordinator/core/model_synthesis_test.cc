// A synthesised model is what its config asks for, loads, and is the same bytes wherever it is
// made.
#include "coordinator/core/model_synthesis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "coordinator/core/loadable_model.h"
#include "storage/checkpoint/file_digests.h"
#include "tests/support/delta_worker.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::coordinator::core::model_synthesis_test {
namespace {

using nlohmann::json;
using storage::checkpoint::Checkpoint;
using storage::checkpoint::TensorView;
using storage::delta::DType;
using test::IsOk;
using test::StatusIs;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kFamilies = "tests/golden/families/";

std::vector<float> BrainFloats(const TensorView& view) {
  std::vector<float> values;
  for (std::size_t i = 0; i + 1 < view.bytes.size(); i += 2)
    values.push_back(std::bit_cast<float>(std::uint32_t{view.bytes[i]} << 16 |
                                          std::uint32_t{view.bytes[i + 1]} << 24));
  return values;
}

class ModelSynthesisTest : public testing::Test {
 protected:
  ModelSynthesisTest() {
    EXPECT_THAT(test::WriteSmallModel(tokenizer_, 5), IsOk());
    SetConfig("llama-llama3");
  }

  void SetConfig(const std::string& family, const std::function<void(json&)>& change = {}) {
    json config = json::parse(std::ifstream(kFamilies + family + "/config.json"));
    config["vocab_size"] = 300;
    if (change) change(config);
    std::ofstream(config_) << config;
  }
  Result<SynthesisedModel> Make(const std::string& name, std::uint64_t seed = 1,
                                std::uint64_t file_bytes_max = 5'000'000'000) {
    return SynthesiseModel(files_, {.config = config_,
                                    .tokenizer = tokenizer_,
                                    .seed = seed,
                                    .folder = Path(name),
                                    .file_bytes_max = file_bytes_max});
  }
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }
  std::unique_ptr<Checkpoint> Open(const std::string& name) const {
    return Checkpoint::Open(Path(name)).value();
  }

  PosixFileSystem files_;
  const test::TemporaryFolder folder_;
  const std::string tokenizer_ = Path("tokenizer");
  const std::string config_ = Path("config.json");
};

TEST_F(ModelSynthesisTest, EveryFamilysHasTheTensorsOfItsPublishedShapeAndLoads) {
  for (const auto& entry : std::filesystem::directory_iterator(kFamilies)) {
    if (!entry.is_directory()) continue;
    const std::string family = entry.path().filename();
    SCOPED_TRACE(family);
    SetConfig(family);
    ASSERT_THAT(Make(family).status(), IsOk());
    EXPECT_THAT(OpenLoadableModel(Path(family)).status(), IsOk());
    const auto made = Open(family), golden = Checkpoint::Open(kFamilies + family).value();
    const bool has_tied_head = golden->tensors().size() > made->tensors().size();
    EXPECT_EQ(made->tensors().size() + (has_tied_head ? 1 : 0), golden->tensors().size());
    for (const auto& [name, view] : made->tensors()) {
      std::vector<std::uint64_t> shape = golden->Find(name).value().shape;
      if (shape[0] == 40) shape[0] = 300;  // the vocabulary
      EXPECT_EQ(view.shape, shape) << name;
      EXPECT_EQ(view.dtype, DType::kBF16);
    }
  }
}

TEST_F(ModelSynthesisTest, SeedAndConfigAloneSayWhatTheBytesAre) {
  ASSERT_OK_AND_ASSIGN(const SynthesisedModel model, Make("first"));
  ASSERT_THAT(Make("again").status(), IsOk());
  ASSERT_THAT(Make("other", 2).status(), IsOk());
  const auto digest = [&](const std::string& name) {
    return storage::checkpoint::HashFile(Path(name) + "/model.safetensors").value().Hex();
  };
  EXPECT_EQ(digest("first"), "cf5e2aa0d331998b4eb16e023f872ccfc62071707b375db30c163dcd3e0eb996");
  EXPECT_EQ(digest("again"), digest("first"));
  EXPECT_NE(digest("other"), digest("first"));
  EXPECT_EQ(model.parameters,
            2 * 300 * 24 + 3 * (24 * (32 + 16 + 16 + 32) + 3 * 24 * 32 + 48) + 24);
  EXPECT_EQ(model.weights_bytes, 2 * model.parameters);
  EXPECT_THAT(model.files, ElementsAre("config.json", "model.safetensors", "tokenizer.json"));
}

TEST_F(ModelSynthesisTest, MatricesAreNormalNormsScaleByOneAndBiasesAreZero) {
  SetConfig("gptj", [](json& config) { config["initializer_range"] = 0.5; });
  ASSERT_THAT(Make("gptj").status(), IsOk());
  const auto model = Open("gptj");
  EXPECT_THAT(BrainFloats(model->Find("transformer.h.1.ln_1.weight").value()), Each(1.F));
  EXPECT_THAT(BrainFloats(model->Find("transformer.h.1.ln_1.bias").value()), Each(0.F));
  EXPECT_THAT(BrainFloats(model->Find("lm_head.bias").value()), Each(0.F));
  const std::vector<float> drawn = BrainFloats(model->Find("transformer.wte.weight").value());
  ASSERT_EQ(drawn.size(), 9600U);
  double sum = 0, squares = 0, within = 0;
  for (const float value : drawn) {
    sum += value;
    squares += value * value;
    within += std::abs(value) < 0.5 ? 1 : 0;
  }
  EXPECT_NEAR(sum / 9600, 0, 0.02);
  EXPECT_NEAR(std::sqrt(squares / 9600), 0.5, 0.015);
  EXPECT_NEAR(within / 9600, 0.683, 0.02);
}

TEST_F(ModelSynthesisTest, ANormThatIsStoredLessOneIsZero) {
  SetConfig("gemma2");
  ASSERT_THAT(Make("gemma").status(), IsOk());
  EXPECT_THAT(BrainFloats(Open("gemma")->Find("model.norm.weight").value()), Each(0.F));
}

TEST_F(ModelSynthesisTest, TheTypeIsTheConfigs) {
  SetConfig("llama-llama3", [](json& config) { config["dtype"] = "float32"; });
  ASSERT_THAT(Make("wide").status(), IsOk());
  ASSERT_OK_AND_ASSIGN(const TensorView wide, Open("wide")->Find("model.norm.weight"));
  EXPECT_EQ(wide.dtype, DType::kF32);
  SetConfig("llama-llama3", [](json& config) { config["dtype"] = "float64"; });
  EXPECT_THAT(Make("other").status(), StatusIs(StatusCode::kUnsupported, "unsupported_config"));
}

TEST_F(ModelSynthesisTest, WhatIsTooLargeForAFileIsSharedOutWithTheSameTensors) {
  SetConfig("qwen3_moe");
  ASSERT_THAT(Make("one").status(), IsOk());
  ASSERT_OK_AND_ASSIGN(const SynthesisedModel model, Make("many", 1, 20'000));
  EXPECT_GT(model.files.size(), 4U);
  EXPECT_TRUE(std::filesystem::exists(Path("many/model.safetensors.index.json")));
  EXPECT_THAT(OpenLoadableModel(Path("many")).status(), IsOk());
  const auto one = Open("one"), many = Open("many");
  ASSERT_EQ(one->tensors().size(), many->tensors().size());
  for (const auto& [name, view] : one->tensors()) {
    const auto other = many->Find(name).value().bytes;
    EXPECT_TRUE(std::ranges::equal(view.bytes, other)) << name;
  }
}

TEST_F(ModelSynthesisTest, AnEmptyFolderIsFilledAndAnyOtherIsLeftAsItIs) {
  std::filesystem::create_directories(Path("empty"));
  EXPECT_THAT(Make("empty").status(), IsOk());
  EXPECT_THAT(OpenLoadableModel(Path("empty")).status(), IsOk());
  std::filesystem::create_directories(Path("full"));
  std::ofstream(Path("full/config.json")) << "mine";
  EXPECT_THAT(Make("full").status(), StatusIs(StatusCode::kAlreadyExists, "folder_not_empty"));
  EXPECT_EQ(files_.Read(Path("full/config.json")).value(), "mine");
  EXPECT_THAT(files_.List(Path("full")).value(), ElementsAre("config.json"));
}

TEST_F(ModelSynthesisTest, WhatCannotBeMadeIsRefusedByNameAndLeavesNothing) {
  const auto refuse = [&](StatusCode code, const char* slug, const char* words) {
    const Status refused = Make("never").status();
    EXPECT_THAT(refused, StatusIs(code, slug));
    EXPECT_THAT(refused.message(), HasSubstr(words));
    EXPECT_FALSE(std::filesystem::exists(Path("never")));
  };
  SetConfig("llama-llama3", [](json& config) { config["vocab_size"] = 3; });
  refuse(StatusCode::kInvalidArgument, "tokenizer_too_large", "vocab_size is 3");
  SetConfig("llama-llama3", [](json& config) { config["num_hidden_layers"] = 1'000'000; });
  refuse(StatusCode::kResourceExhausted, "too_many_tensors", "more than 100000 tensors");
  SetConfig("llama-llama3", [](json& config) { config["model_type"] = "mamba"; });
  refuse(StatusCode::kUnsupported, "unknown_family", "mamba");
  std::filesystem::remove(config_);
  EXPECT_THAT(Make("never").status(), StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace emend::coordinator::core::model_synthesis_test
