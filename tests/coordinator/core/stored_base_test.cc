// Import, and what happens when the store's copy of a model rots.
#include "coordinator/core/stored_base.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "coordinator/core/model_import.h"
#include "coordinator/core/state_builder.h"
#include "storage/checkpoint/tile_file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::coordinator::core {
namespace {

using test::IsOk;
using test::StatusIs;

using storage::checkpoint::NewTensor;
using storage::delta::Column;
using storage::delta::EditDelta;

constexpr char kTensor[] = "mlp.weight";

class StoredBaseTest : public testing::Test {
 protected:
  StoredBaseTest() {
    WriteSource();
    Result<ImportedModel> model = Import();
    EXPECT_THAT(model.status(), IsOk());
    model_ = std::move(model).value();
  }

  void WriteSource() const {
    std::filesystem::create_directories(source_);
    for (const char* name : {"config.json", "tokenizer.json"})
      std::ofstream(source_ + "/" + name) << "{}";
    const std::vector<NewTensor> tensors = {
        {kTensor, storage::delta::DType::kBF16, {4, 2}, std::vector<std::uint8_t>(16, 0x3f)},
        {"other.weight", storage::delta::DType::kF32, {2}, std::vector<std::uint8_t>(8, 0)}};
    EXPECT_THAT(storage::checkpoint::WriteSafetensors(source_ + "/model.safetensors", tensors, {}),
                IsOk());
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
  std::ofstream(source_ + "/config.json") << "{ }";
  EXPECT_NE(Import()->id, model_.id);
}

TEST_F(StoredBaseTest, ADamagedTensorIsNeverRebuiltFrom) {
  const EditDelta delta{{{kTensor, 4, 2, {Column{.a = {1, 0, 0, 0}, .b = {1, 1}}}}}};
  const EditDelta other{{{"other.weight", 1, 2, {Column{.a = {1}, .b = {1, 1}}}}}};
  ASSERT_THAT(RebuildTensors(Open(), std::vector{delta}).status(), IsOk());
  Damage("model.safetensors");  // the last tensor by name
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
}  // namespace emend::coordinator::core
