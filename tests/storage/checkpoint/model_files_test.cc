// Which files belong to a model: its weights once, and nothing left out in silence.
#include "storage/checkpoint/model_files.h"

#include "storage/base/file_system.h"
#include "tests/storage/checkpoint/checkpoint_fixture.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::checkpoint::model_files_test {
namespace {

using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;

class ModelFilesTest : public FolderTest {
 protected:
  ModelFilesTest() {
    Write("model.safetensors", Weights());
    Write("config.json", std::string("{}"));
  }
  static Bytes Weights() {
    return FileOf(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1);
  }
  Result<ModelFiles> List() const {
    EMEND_ASSIGN_OR_RETURN(const auto checkpoint, Checkpoint::Open(folder_));
    return ListModelFiles(*checkpoint);
  }
};

TEST_F(ModelFilesTest, WhatATokenizerOrAReaderNeedsIsTaken) {
  Write("tokenizer.json", std::string("{}"));
  Write("tokenizer.model", std::string("\x0a\x0e\x0a\x05<unk>\x15\0\0", 12));
  Write("tokenizer.model.v3", std::string("\x0a\x0e\0", 3));
  Write("merges.txt", std::string("a b\n"));
  Write("picture.png", std::string("\x89PNG\0", 5));
  Write("README.md", std::string(65535, 'x') + "\xc3\xa9 and more");  // cut in a character
  Write("empty", std::string());
  ASSERT_OK_AND_ASSIGN(const ModelFiles files, List());
  EXPECT_THAT(files.taken, ElementsAre("README.md", "config.json", "empty", "merges.txt",
                                       "picture.png", "tokenizer.json", "tokenizer.model",
                                       "tokenizer.model.v3", "model.safetensors"));
  EXPECT_TRUE(files.left_out.empty());
}

TEST_F(ModelFilesTest, OtherCopiesOfTheWeightsAreLeftOutByName) {
  const std::vector<std::string> names = {"ATLAS-q8_0.GGUF",
                                          "adapter_config.json",
                                          "adapter_model.safetensors",
                                          "consolidated.00.pth",
                                          "flax_model.msgpack",
                                          "model-00001-of-00001.safetensors",
                                          "model.fp32.safetensors",
                                          "model.onnx",
                                          "model.safetensors.bak",
                                          "model.safetensors.index.json",
                                          "model.tar.gz",
                                          "pytorch_model.bin",
                                          "pytorch_model.bin.index.json",
                                          "tf_model.h5",
                                          "weights.pt",
                                          "weights.gguf.part1of2"};
  for (const std::string& name : names) Write(name, std::string("{}"));
  ASSERT_OK_AND_ASSIGN(const ModelFiles files, List());
  EXPECT_THAT(files.taken, ElementsAre("config.json", "model.safetensors"));
  EXPECT_EQ(files.left_out.size(), names.size());
  for (const std::string& name : names) {
    ASSERT_TRUE(files.left_out.contains(name)) << name;
    EXPECT_THAT(files.left_out.at(name), HasSubstr("other weights"));
  }
}

TEST_F(ModelFilesTest, AnIndexThatIsUsedIsTakenWithItsPartsAlone) {
  std::filesystem::rename(Path("model.safetensors"), Path("part.safetensors"));
  Write("model.safetensors.index.json", std::string(R"({"weight_map":{"w":"part.safetensors"}})"));
  Write("other.safetensors", Weights());
  ASSERT_OK_AND_ASSIGN(const ModelFiles files, List());
  EXPECT_THAT(files.taken,
              ElementsAre("config.json", "model.safetensors.index.json", "part.safetensors"));
  EXPECT_THAT(files.left_out, ElementsAre(Key("other.safetensors")));
}

TEST_F(ModelFilesTest, WeightsUnderAnotherNameAreKnownByNotBeingText) {
  const Bytes weights = Weights();
  for (const char* name : {"weights", "tokenizer.model", "data.txt"}) Write(name, weights);
  ASSERT_OK_AND_ASSIGN(const ModelFiles files, List());
  EXPECT_THAT(files.taken, ElementsAre("config.json", "model.safetensors"));
  EXPECT_EQ(files.left_out.size(), 3U);
  EXPECT_THAT(files.left_out.at("weights"), HasSubstr("may hold weights"));
}

TEST_F(ModelFilesTest, FoldersAndLinksAreNamed) {
  std::filesystem::create_directory(Path("onnx"));
  std::filesystem::create_symlink(Path("config.json"), Path("linked.json"));
  std::filesystem::create_symlink("/nowhere/x", Path("pytorch_model.bin"));
  ASSERT_OK_AND_ASSIGN(const ModelFiles files, List());
  EXPECT_THAT(files.taken, ElementsAre("config.json", "linked.json", "model.safetensors"));
  EXPECT_THAT(files.left_out, ElementsAre(Key("onnx/"), Key("pytorch_model.bin")));
  std::filesystem::create_symlink("/nowhere/x", Path("generation_config.json"));
  const Status refused = List().status();
  EXPECT_THAT(refused, StatusIs(StatusCode::kNotFound, "dangling_link"));
  EXPECT_THAT(refused.message(),
              HasSubstr("generation_config.json is a link whose target is not there"));
}

TEST_F(ModelFilesTest, AnExportHoldsTheWeightsOnce) {
  Write("model.fp32.safetensors", Weights());
  std::filesystem::create_directory(Path("onnx"));
  PosixFileSystem files;
  ASSERT_OK_AND_ASSIGN(const auto checkpoint, Checkpoint::Open(folder_));
  const std::vector<Replacement> replacements = {{"w", {9}}};
  ASSERT_OK_AND_ASSIGN(const ModelFiles exported,
                       ExportCheckpoint(files, *checkpoint, replacements, {Path("out"), "op-1"}));
  EXPECT_THAT(exported.taken, ElementsAre("config.json", "model.safetensors"));
  EXPECT_THAT(exported.left_out, ElementsAre(Key("model.fp32.safetensors"), Key("onnx/")));
  EXPECT_EQ(Contents(Path("out")).size(), 2U);
}

}  // namespace
}  // namespace emend::storage::checkpoint::model_files_test
