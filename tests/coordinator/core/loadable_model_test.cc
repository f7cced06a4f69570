// What no worker can load is refused before it is copied, in the worker's words.
#include "coordinator/core/loadable_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "coordinator/core/model_import.h"
#include "tests/storage/checkpoint/write_tensors.h"
#include "tests/support/delta_worker.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::coordinator::core::loadable_model_test {
namespace {

using nlohmann::json;
using test::IsOk;
using test::StatusIs;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LoadableModelTest : public testing::Test {
 protected:
  LoadableModelTest() { EXPECT_THAT(test::WriteSmallModel(source_, 5), IsOk()); }

  void Change(const std::string& file, const std::function<void(json&)>& change) const {
    const std::string path = source_ + "/" + file;
    json document = json::parse(std::ifstream(path));
    change(document);
    std::ofstream(path) << document;
  }
  // By the check and by an import, which leaves nothing in the store.
  void ExpectRefused(StatusCode code, const char* slug, const std::string& words) const {
    const Status checked = OpenLoadableModel(source_).status();
    EXPECT_THAT(checked, StatusIs(code, slug));
    EXPECT_THAT(checked.message(), HasSubstr(words));
    EXPECT_EQ(Import().status().message(), checked.message());
    EXPECT_FALSE(std::filesystem::exists(layout_.models()));
  }

  Result<ImportedModel> Import() const {
    PosixFileSystem files;
    return ImportModel(files, source_, layout_, "op-1");
  }

  const test::TemporaryFolder folder_;
  const std::string source_ = folder_.path() + "/source";
  const StoreLayout layout_{folder_.path() + "/store", {folder_.path()}};
};

TEST_F(LoadableModelTest, AModelThatAWorkerLoadsIsImportedWithoutAWarning) {
  const auto model = OpenLoadableModel(source_);
  ASSERT_THAT(model.status(), IsOk());
  EXPECT_EQ(model->plan.config.intermediate, 96);
  EXPECT_THAT(model->warnings, IsEmpty());
  EXPECT_THAT(Import().status(), IsOk());
}

TEST_F(LoadableModelTest, AnUnknownFamilyIsRefusedWithTheKnownOnes) {
  Change("config.json", [](json& config) { config["model_type"] = "mamba"; });
  ExpectRefused(StatusCode::kUnsupported, "unknown_family",
                "expected one of gemma2, gemma3_text, gpt2");
}

TEST_F(LoadableModelTest, AConfigThatAsksForMoreIsRefusedByKey) {
  Change("config.json", [](json& config) { config["scale_attn_by_inverse_layer_idx"] = true; });
  ExpectRefused(StatusCode::kUnsupported, "unsupported_config",
                "\"scale_attn_by_inverse_layer_idx\": found true");
}

TEST_F(LoadableModelTest, ATokenizerThatNobodyKnowsIsRefusedByComponent) {
  Change("tokenizer.json",
         [](json& tokenizer) { tokenizer["pre_tokenizer"] = {{"type", "UnicodeScripts"}}; });
  ExpectRefused(StatusCode::kUnsupported, "unsupported", "\"UnicodeScripts\"");
}

TEST_F(LoadableModelTest, TensorsAreHeldAgainstTheConfig) {
  Change("config.json", [](json& config) { config["n_layer"] = 3; });
  ExpectRefused(StatusCode::kInvalidArgument, "missing_tensor", "transformer.h.2.");
  Change("config.json", [](json& config) { config["n_layer"] = 1; });
  ExpectRefused(StatusCode::kInvalidArgument, "surplus_tensor", "transformer.h.1.attn.c_attn.bias");
  Change("config.json", [](json& config) { config.update({{"n_layer", 2}, {"n_inner", 80}}); });
  ExpectRefused(StatusCode::kInvalidArgument, "misshapen_tensor", "mlp.c_fc.weight");
  Change("config.json", [](json& config) { config["n_layer"] = 2147483647; });
  ExpectRefused(StatusCode::kInvalidArgument, "misshapen_tensor", "mlp.c_fc.weight");
  Change("config.json", [](json& config) { config["n_inner"] = 96; });
  ExpectRefused(StatusCode::kInvalidArgument, "missing_tensor", "transformer.h.2.");
}

TEST_F(LoadableModelTest, ATiedHeadWithValuesOfItsOwnIsNotImported) {
  const auto write = [&](const char* from) {
    std::vector<storage::checkpoint::NewTensor> tensors;
    const auto checkpoint = std::move(storage::checkpoint::Checkpoint::Open(source_)).value();
    for (const auto& [name, view] : checkpoint->tensors()) {
      if (name == "lm_head.weight") continue;
      tensors.push_back({name, view.dtype, view.shape, {view.bytes.begin(), view.bytes.end()}});
      if (name == from) {
        tensors.push_back(tensors.back());
        tensors.back().name = "lm_head.weight";
        tensors.back().shape = {4, 40};
        tensors.back().bytes.resize(4 * 40 * 2);
      }
    }
    const std::string file = folder_.path() + "/changed.safetensors";
    EXPECT_THAT(storage::checkpoint::WriteSafetensors(file, tensors, {}), IsOk());
    std::filesystem::rename(file, source_ + "/model.safetensors");
  };
  write("transformer.wpe.weight");
  EXPECT_THAT(Import().status(), StatusIs(StatusCode::kInvalidArgument, "untied_head"));
  EXPECT_FALSE(std::filesystem::exists(layout_.models()));
  write("transformer.wte.weight");
  EXPECT_THAT(Import().status(), IsOk());
}

TEST_F(LoadableModelTest, AMissingFileIsNamed) {
  std::filesystem::remove(source_ + "/tokenizer.json");
  ExpectRefused(StatusCode::kNotFound, "not_found",
                "it has no tokenizer.json and no tokenizer.model");
  std::filesystem::remove(source_ + "/config.json");
  ExpectRefused(StatusCode::kNotFound, "not_found", "it has no config.json");
}

TEST_F(LoadableModelTest, ATokenizerModelStandsInForTheJson) {
  std::filesystem::remove(source_ + "/tokenizer.json");
  std::filesystem::copy_file("tests/golden/tokenizer/sp_gemma.tokenizer.model",
                             source_ + "/tokenizer.model");
  const auto model = Import();
  ASSERT_THAT(model.status(), IsOk());
  EXPECT_THAT(model->warnings, ElementsAre(HasSubstr("796 of the tokenizer's ids have no row")));
  std::ofstream(source_ + "/tokenizer.model") << "no protobuf";
  EXPECT_THAT(OpenLoadableModel(source_).status(),
              StatusIs(StatusCode::kInvalidArgument, "bad_tokenizer"));
}

TEST_F(LoadableModelTest, IdsWithoutARowAreAWarning) {
  Change("tokenizer.json", [](json& tokenizer) {
    for (int id = 4; id < 6; ++id) {
      tokenizer["added_tokens"].push_back(
          {{"id", id}, {"content", "<" + std::to_string(id) + ">"}, {"special", true}});
    }
  });
  const auto model = Import();
  ASSERT_THAT(model.status(), IsOk());
  EXPECT_THAT(model->warnings,
              ElementsAre(HasSubstr("no row in the embedding of 4 rows: 4 \"<4>\", 5 \"<5>\"")));
}

}  // namespace
}  // namespace emend::coordinator::core::loadable_model_test
