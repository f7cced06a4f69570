// A GGUF file becomes a base: the weights it was made from, byte for byte.
#include "coordinator/core/gguf_import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "coordinator/core/model_import.h"
#include "storage/checkpoint/file_digests.h"
#include "tests/support/gguf_model.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::coordinator::core::gguf_import_test {
namespace {

using nlohmann::json;
using storage::checkpoint::Checkpoint;
using test::GgufWriter;
using test::IsOk;
using test::StatusIs;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class GgufImportTest : public testing::Test {
 protected:
  void Write(const GgufWriter& writer) const {
    std::ofstream(gguf_, std::ios::binary) << writer.Build();
  }
  Result<ImportedModel> Import() { return ImportModel(files_, gguf_, layout_, "op-1"); }
  Result<std::unique_ptr<WorkFolder>> Describe() {
    return ConvertGguf(files_, gguf_,
                       {.parent = folder_.path(), .owner = "a", .weights = GgufWeights::kHole});
  }
  // By an import, which leaves no model and no work.
  void ExpectRefused(const GgufWriter& writer, StatusCode code, const char* slug,
                     const char* words) {
    Write(writer);
    const Status refused = Import().status();
    EXPECT_THAT(refused, StatusIs(code, slug));
    EXPECT_THAT(refused.message(), HasSubstr(words));
    EXPECT_EQ(Describe().status().message().substr(0, 20), refused.message().substr(0, 20));
    EXPECT_TRUE(std::filesystem::is_empty(layout_.models()));
  }

  const test::TemporaryFolder folder_;
  PosixFileSystem files_;
  const std::string gguf_ = folder_.path() + "/stories.gguf";
  const StoreLayout layout_{folder_.path() + "/store", {folder_.path()}};
};

TEST_F(GgufImportTest, TheTensorsAreThoseThatTheFileWasMadeFrom) {
  Write(test::StoriesGguf());
  ASSERT_OK_AND_ASSIGN(const ImportedModel model, Import());
  ASSERT_OK_AND_ASSIGN(const auto imported, Checkpoint::Open(model.folder));
  ASSERT_OK_AND_ASSIGN(const auto original, Checkpoint::Open(test::kStoriesFolder));
  EXPECT_EQ(imported->tensors().size(), original->tensors().size());
  for (const auto& [name, view] : original->tensors()) {
    ASSERT_OK_AND_ASSIGN(const auto found, imported->Find(name));
    EXPECT_EQ(found.dtype, view.dtype) << name;
    EXPECT_EQ(found.shape, view.shape) << name;
    EXPECT_TRUE(std::ranges::equal(found.bytes, view.bytes)) << name;
  }
  EXPECT_THAT(model.warnings, IsEmpty());
}

TEST_F(GgufImportTest, TheRecordIsOfWhatWasWrittenAndTheSameEachTime) {
  Write(test::StoriesGguf());
  ASSERT_OK_AND_ASSIGN(const ImportedModel model, Import());
  EXPECT_THAT(storage::checkpoint::CheckFiles(model.folder, model.base.files), IsOk());
  std::vector<std::string> names;
  for (const auto& [name, digest] : model.base.files) names.push_back(name);
  EXPECT_THAT(names, ElementsAre("config.json", "generation_config.json", "model.safetensors",
                                 "tokenizer.json", "tokenizer_config.json"));
  EXPECT_THAT(model.left_out, IsEmpty());
  ASSERT_OK_AND_ASSIGN(const ImportedModel again, Import());
  EXPECT_EQ(again.id, model.id);
  std::filesystem::resize_file(model.folder + "/model.safetensors", 100);
  ASSERT_OK_AND_ASSIGN(const ImportedModel repaired, Import());
  EXPECT_EQ(repaired.id, model.id);
  EXPECT_THAT(storage::checkpoint::CheckFiles(model.folder, model.base.files), IsOk());
  for (const auto& entry : std::filesystem::directory_iterator(layout_.models()))
    EXPECT_FALSE(WorkFolder::IsName(entry.path().filename().string())) << entry.path();
}

TEST_F(GgufImportTest, AFileIsDescribedWithoutItsWeights) {
  Write(test::StoriesGguf());
  std::string contents;
  {
    ASSERT_OK_AND_ASSIGN(const auto work, Describe());
    contents = work->contents();
    ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open(contents));
    ASSERT_OK_AND_ASSIGN(const auto embedding, checkpoint->Find("model.embed_tokens.weight"));
    EXPECT_THAT(embedding.shape, ElementsAre(512, 64));
    EXPECT_TRUE(std::ranges::all_of(embedding.bytes, [](std::uint8_t byte) { return byte == 0; }));
  }
  EXPECT_FALSE(std::filesystem::exists(contents));
}

TEST_F(GgufImportTest, AFileIsKnownByItsNameOrItsBeginning) {
  EXPECT_TRUE(IsGguf("/models/none.gguf"));
  EXPECT_FALSE(IsGguf("/models/none.gguf.txt"));
  std::ofstream(folder_.path() + "/blob") << "GGUF";
  EXPECT_TRUE(IsGguf(folder_.path() + "/blob"));
  std::ofstream(folder_.path() + "/other") << "GGU";
  EXPECT_FALSE(IsGguf(folder_.path() + "/other"));
  std::filesystem::create_directories(folder_.path() + "/folder.gguf");
  EXPECT_FALSE(IsGguf(folder_.path() + "/folder.gguf"));
}

TEST_F(GgufImportTest, WhatNoWorkerLoadsIsRefusedBeforeWeightsAreWritten) {
  GgufWriter writer = test::StoriesGguf();
  writer.Tensor("blk.0.attn_q.bias", {64}, test::kGgufF32, std::string(256, '\0'));
  ExpectRefused(writer, StatusCode::kInvalidArgument, "missing_tensor",
                "model.layers.0.self_attn.k_proj.bias");
  writer = test::StoriesGguf();
  writer.Tensor("blk.0.ffn_gate_exps.weight", {64}, test::kGgufF32, std::string(256, '\0'));
  ExpectRefused(writer, StatusCode::kInvalidArgument, "surplus_tensor", "ffn_gate_exps");
  writer = GgufWriter();
  test::AddStoriesMetadata(writer);
  test::AddByteLevelTokenizer(writer, "gpt-2");
  ExpectRefused(writer, StatusCode::kInvalidArgument, "missing_tensor", "5 blocks");
  writer = GgufWriter();
  test::AddStoriesMetadata(writer);
  test::AddStoriesTensors(writer);
  ExpectRefused(writer, StatusCode::kUnsupported, "unknown_tokenizer", "expected \"gpt2\"");
}

TEST_F(GgufImportTest, AWeightThatIsNoNumberIsRefused) {
  GgufWriter writer;
  test::AddStoriesMetadata(writer);
  test::AddByteLevelTokenizer(writer, "gpt-2");
  test::AddStoriesTensors(writer);
  std::string file = writer.Build();
  file.replace(file.size() - 4, 4, GgufWriter::Bits(std::numeric_limits<float>::quiet_NaN()));
  std::ofstream(gguf_, std::ios::binary) << file;
  EXPECT_THAT(Import().status(), StatusIs(StatusCode::kFailedPrecondition, "non_finite_weight"));
  EXPECT_TRUE(std::filesystem::is_empty(layout_.models()));
}

}  // namespace
}  // namespace emend::coordinator::core::gguf_import_test
