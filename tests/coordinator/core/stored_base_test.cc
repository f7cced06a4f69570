// Import, and what happens when the store's copy of a model rots.
#include "coordinator/core/stored_base.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "coordinator/core/model_import.h"
#include "coordinator/core/state_builder.h"
#include "storage/checkpoint/tile_file.h"
#include "tests/support/delta_worker.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::coordinator::core::stored_base_test {
namespace {

using test::IsOk;
using test::StatusIs;

using storage::delta::Column;
using storage::delta::EditDelta;

constexpr char kTensor[] = "transformer.h.0.mlp.c_proj.weight";  // [96, 40]
constexpr char kLast[] = "transformer.wte.weight";               // by name; [4, 40]

class StoredBaseTest : public testing::Test {
 protected:
  StoredBaseTest() {
    EXPECT_THAT(test::WriteSmallModel(source_, 5), IsOk());
    Result<ImportedModel> model = Import();
    EXPECT_THAT(model.status(), IsOk());
    model_ = std::move(model).value();
  }

  Result<ImportedModel> Import() { return ImportModel(files_, source_, layout_, "op-1"); }

  StoredBase Open() const {
    storage::history::RepoRecord record;
    record.base = model_.id;
    record.base_encoded = EncodeBase(model_.base);
    Result<StoredBase> base = OpenBase(layout_, record);
    EXPECT_THAT(base.status(), IsOk());
    return *base;
  }

  // Adds one to the last byte of a stored file.
  void Damage(const std::string& name) const {
    std::fstream file(model_.folder + "/" + name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-1, std::ios::end);
    const char last = static_cast<char>(file.peek() + 1);
    file.seekp(-1, std::ios::end);
    file.put(last);
  }

  const test::TemporaryFolder folder_;
  PosixFileSystem files_;
  const std::string source_ = folder_.path() + "/source";
  const StoreLayout layout_{folder_.path() + "/store", {folder_.path()}};
  ImportedModel model_;
};

TEST_F(StoredBaseTest, AnImportedModelIsWholeAndItsIdComesFromItsBytes) {
  EXPECT_THAT(Open().Check(), IsOk());
  EXPECT_EQ(model_.base.files.size(), 3U);
  EXPECT_EQ(Import()->id, model_.id);
  std::ofstream(source_ + "/config.json", std::ios::app) << "\n";
  EXPECT_NE(Import()->id, model_.id);
}

TEST_F(StoredBaseTest, WhatIsNoPartOfTheModelIsNamedAndNotCopied) {
  const BaseId before = model_.id;
  std::filesystem::create_directory(source_ + "/onnx");
  std::ofstream(source_ + "/pytorch_model.bin") << "the same weights";
  ASSERT_OK_AND_ASSIGN(const ImportedModel again, Import());
  EXPECT_EQ(again.id, before);
  EXPECT_THAT(again.left_out,
              testing::ElementsAre(testing::Key("onnx/"), testing::Key("pytorch_model.bin")));
  EXPECT_EQ(again.base.files.size(), 3U);
}

TEST_F(StoredBaseTest, EveryFileLiesBelowTheModelRoots) {
  namespace fs = std::filesystem;
  const test::TemporaryFolder elsewhere;
  std::ofstream(elsewhere.path() + "/secret") << "not for tenants";
  fs::create_symlink(elsewhere.path() + "/secret", source_ + "/notes.txt");
  const Status outside = Import().status();
  EXPECT_THAT(outside, StatusIs(StatusCode::kPermissionDenied, "outside_model_roots"));
  EXPECT_THAT(outside.message(), testing::HasSubstr("notes.txt is a link"));
  fs::remove(source_ + "/notes.txt");
  std::ofstream(layout_.folder + "/token") << "secret";
  fs::create_symlink(layout_.folder + "/token", source_ + "/notes.txt");
  EXPECT_THAT(Import().status(), StatusIs(StatusCode::kPermissionDenied, "inside_store"));
  fs::remove(source_ + "/notes.txt");
  // also the files that the import itself reads first
  fs::rename(source_ + "/model.safetensors", elsewhere.path() + "/weights");
  fs::create_symlink(elsewhere.path() + "/weights", source_ + "/model.safetensors");
  EXPECT_THAT(Import().status(), StatusIs(StatusCode::kPermissionDenied, "outside_model_roots"));
  // a hub's cache: links that stay below the root
  fs::remove(source_ + "/model.safetensors");
  fs::rename(elsewhere.path() + "/weights", folder_.path() + "/blob");
  fs::create_symlink("../blob", source_ + "/model.safetensors");
  EXPECT_EQ(Import()->id, model_.id);
}

TEST_F(StoredBaseTest, ALinkThatLeadsNowhereIsRefusedByName) {
  for (const char* name : {"aaa.txt", "generation_config.json"}) {
    std::filesystem::create_symlink("/nowhere/x", source_ + "/" + name);
    const Status refused = Import().status();
    EXPECT_THAT(refused, StatusIs(StatusCode::kNotFound, "dangling_link"));
    EXPECT_THAT(refused.message(),
                testing::HasSubstr(std::string(name) + " is a link whose target is not there"));
    std::filesystem::remove(source_ + "/" + name);
  }
}

TEST_F(StoredBaseTest, ADamagedTensorIsNeverRebuiltFrom) {
  const auto ones = [](std::size_t size) { return std::vector<std::int16_t>(size, 1); };
  const EditDelta delta{{{kTensor, 96, 40, {Column{.a = ones(96), .b = ones(40)}}}}};
  const EditDelta other{{{kLast, 4, 40, {Column{.a = ones(4), .b = ones(40)}}}}};
  ASSERT_THAT(RebuildTensors(Open(), std::vector{delta}).status(), IsOk());
  Damage("model.safetensors");
  EXPECT_THAT(RebuildTensors(Open(), std::vector{delta}).status(), IsOk());
  EXPECT_THAT(RebuildTensors(Open(), std::vector{other}).status(),
              StatusIs(StatusCode::kDataLoss, "base_damaged"));
}

TEST_F(StoredBaseTest, TheTilesOfAnImportedModelGiveItsDigestsAndAnotherImportMakesThemAgain) {
  const auto check = [&]() -> Status {
    std::map<std::string, Digest> roots;
    for (const auto& [name, tensor] : model_.base.tensors) roots[name] = tensor.root;
    EMEND_ASSIGN_OR_RETURN(
        const auto tiles, storage::checkpoint::TileFile::Open(layout_.tile_file(model_.id), roots));
    const StoredBase base = Open();
    for (const auto& [name, view] : base.checkpoint->tensors()) {
      const auto shape = storage::delta::Flatten(view.dtype, view.shape);
      EMEND_RETURN_IF_ERROR(
          tiles
              ->Check(view,
                      std::vector<storage::delta::TensorRange>{{0, shape.rows, 0, shape.cols}})
              .status());
    }
    return OkStatus();
  };
  EXPECT_THAT(check(), IsOk());
  for (const bool is_damaged : {true, false}) {
    std::filesystem::remove(layout_.tile_file(model_.id));
    if (is_damaged) std::ofstream(layout_.tile_file(model_.id)) << "not tiles";
    EXPECT_FALSE(check().ok());
    ASSERT_THAT(Import().status(), IsOk());
    EXPECT_THAT(check(), IsOk());
  }
}

TEST_F(StoredBaseTest, ImportingAgainMendsADamagedCopy) {
  for (const char* name : {"config.json", "model.safetensors"}) {
    Damage(name);
    EXPECT_THAT(Open().Check(), StatusIs(StatusCode::kDataLoss, "base_damaged")) << name;
    const Result<ImportedModel> again = Import();
    ASSERT_THAT(again.status(), IsOk());
    EXPECT_EQ(again->id, model_.id);
    EXPECT_THAT(Open().Check(), IsOk()) << name;
  }
}

}  // namespace
}  // namespace emend::coordinator::core::stored_base_test
