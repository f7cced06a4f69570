// Writing: new files round-trip, and exports are the imported bytes but for the replaced tensors.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "tests/storage/checkpoint/checkpoint_fixture.h"
#include "tests/storage/checkpoint/write_tensors.h"

namespace emend::storage::checkpoint::export_test {
namespace {

class Export : public FolderTest {
 protected:
  // A header that no writer of ours would make: other order, other spacing, odd length, no padding.
  static Bytes ForeignFile() {
    return FileOf(
        R"({ "w2":{"shape":[2,2],"data_offsets":[4,12],"dtype":"F16"} ,)"
        R"("__metadata__":{"format":"pt"},"w1":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}  )",
        12);
  }

  void WriteCheckpoint() {
    Write("model.safetensors", ForeignFile());
    Write("config.json", std::string("{\"a\":1}\n"));
    Write("empty.txt", std::string());
    std::filesystem::create_directory(Path("subfolder"));
    std::filesystem::create_symlink(Path("config.json"), Path("linked.json"));
  }

  static Status ExportTo(FileSystem& files, const Checkpoint& checkpoint,
                         std::span<const Replacement> replacements, const ExportTarget& target) {
    return ExportCheckpoint(files, checkpoint, replacements, target).status();
  }

  std::unique_ptr<Checkpoint> Open() { return std::move(Checkpoint::Open(folder_)).value(); }
  std::string Out() const { return folder_ + ".out"; }
  // the owner is the test's own: others run beside it, in the same parent folder
  ExportTarget Target() const { return {Out(), std::filesystem::path(folder_).filename()}; }
  ~Export() override { std::filesystem::remove_all(Out()); }

  PosixFileSystem files_;
};

TEST_F(Export, WithoutReplacementsIsByteIdentical) {
  WriteCheckpoint();
  ASSERT_EQ(ExportTo(files_, *Open(), {}, Target()), OkStatus());
  EXPECT_EQ(Contents(Out()), Contents(folder_));
  EXPECT_EQ(Contents(Out()).size(), 4U);
}

TEST_F(Export, ReplacesTheBytesOfTheNamedTensorsAlone) {
  WriteCheckpoint();
  const std::vector<Replacement> replacements = {{"w2", {90, 91, 92, 93, 94, 95, 96, 97}}};
  ASSERT_EQ(ExportTo(files_, *Open(), replacements, Target()), OkStatus());
  auto expected = Contents(folder_);
  std::string& file = expected["model.safetensors"];
  for (std::size_t i = 0; i < 8; ++i) file[file.size() - 8 + i] = static_cast<char>(90 + i);
  EXPECT_EQ(Contents(Out()), expected);
  EXPECT_EQ(std::move(Checkpoint::Open(Out())).value()->Find("w2")->bytes[0], 90);
}

TEST_F(Export, ReplacingWithTheOldBytesIsByteIdentical) {
  WriteCheckpoint();
  const auto checkpoint = Open();
  std::vector<Replacement> replacements;
  for (const auto& [name, view] : checkpoint->tensors())
    replacements.push_back({name, {view.bytes.begin(), view.bytes.end()}});
  std::reverse(replacements.begin(), replacements.end());
  ASSERT_EQ(ExportTo(files_, *checkpoint, replacements, Target()), OkStatus());
  EXPECT_EQ(Contents(Out()), Contents(folder_));
}

TEST_F(Export, KeepsShardsAndTheirIndex) {
  ASSERT_EQ(WriteSafetensors(Path("one.safetensors"),
                             std::vector<NewTensor>{{"a", delta::DType::kU8, {2}, {1, 2}}}, {}),
            OkStatus());
  ASSERT_EQ(WriteSafetensors(Path("two.safetensors"),
                             std::vector<NewTensor>{{"b", delta::DType::kU8, {2}, {3, 4}}}, {}),
            OkStatus());
  Write("model.safetensors.index.json",
        std::string(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})"));
  const std::vector<Replacement> replacements = {{"b", {7, 8}}};
  ASSERT_EQ(ExportTo(files_, *Open(), replacements, Target()), OkStatus());
  EXPECT_EQ(Contents(Out()).at("one.safetensors"), Contents(folder_).at("one.safetensors"));
  const auto exported = std::move(Checkpoint::Open(Out())).value();
  EXPECT_EQ(exported->Find("b")->bytes[1], 8);
  EXPECT_EQ(exported->Find("a")->bytes[1], 2);
}

TEST_F(Export, RefusesWrongReplacements) {
  WriteCheckpoint();
  const auto checkpoint = Open();
  const std::vector<Replacement> unknown = {{"w3", {1}}};
  EXPECT_EQ(ExportTo(files_, *checkpoint, unknown, Target()).code(), StatusCode::kInvalidArgument);
  const std::vector<Replacement> short_one = {{"w1", {1, 2, 3}}};
  EXPECT_EQ(ExportTo(files_, *checkpoint, short_one, Target()).code(),
            StatusCode::kInvalidArgument);
  const std::vector<Replacement> twice = {{"w1", {1, 2, 3, 4}}, {"w1", {1, 2, 3, 4}}};
  EXPECT_EQ(ExportTo(files_, *checkpoint, twice, Target()).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(Out()));
}

TEST_F(Export, TakesAnEmptyFolderAndRefusesOneWithSomethingElse) {
  WriteCheckpoint();
  std::filesystem::create_directory(Out());
  ASSERT_EQ(ExportTo(files_, *Open(), {}, Target()), OkStatus());
  EXPECT_EQ(ExportTo(files_, *Open(), {}, Target()), OkStatus())
      << "the very same is there already";
  const std::vector<Replacement> other = {{"w1", {1, 2, 3, 4}}};
  const Status refused = ExportTo(files_, *Open(), other, Target());
  EXPECT_EQ(refused.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(refused.slug(), "folder_not_empty");
  EXPECT_EQ(ExportTo(files_, *Open(), {}, Target()), OkStatus()) << "nothing was touched";
  std::ofstream(Out() + "/notes.txt") << "mine";
  EXPECT_EQ(ExportTo(files_, *Open(), {}, Target()).slug(), "folder_not_empty");
}

TEST_F(Export, ReportsAFolderThatCannotBeMade) {
  WriteCheckpoint();
  EXPECT_EQ(ExportTo(files_, *Open(), {}, {Path("config.json") + "/out", "op-1"}).code(),
            StatusCode::kAlreadyExists);
}

TEST_F(Export, NewFilesRoundTrip) {
  const std::vector<NewTensor> tensors = {
      {"b \"quoted\" \xc3\xa9", delta::DType::kF32, {1, 2}, {1, 2, 3, 4, 5, 6, 7, 8}},
      {"a", delta::DType::kBF16, {}, {9, 8}},
      {"c", delta::DType::kI64, {0}, {}}};
  ASSERT_EQ(WriteSafetensors(Path("model.safetensors"), tensors, {{"format", "pt"}, {"note", "x"}}),
            OkStatus());
  const auto checkpoint = Open();
  ASSERT_EQ(checkpoint->tensors().size(), 3U);
  for (const NewTensor& tensor : tensors) {
    const TensorView view = checkpoint->Find(tensor.name).value();
    EXPECT_EQ(view.dtype, tensor.dtype);
    EXPECT_EQ(view.shape, tensor.shape);
    EXPECT_EQ(Bytes(view.bytes.begin(), view.bytes.end()), tensor.bytes);
  }
  EXPECT_EQ(checkpoint->Find("a")->file_offset % 8, 0U);
}

TEST_F(Export, NewFilesAreTheSameBytesWhateverTheOrderGiven) {
  std::vector<NewTensor> tensors = {{"b", delta::DType::kU8, {1}, {1}},
                                    {"a", delta::DType::kU8, {1}, {2}}};
  ASSERT_EQ(WriteSafetensors(Path("x"), tensors, {}), OkStatus());
  std::reverse(tensors.begin(), tensors.end());
  ASSERT_EQ(WriteSafetensors(Path("y"), tensors, {}), OkStatus());
  EXPECT_EQ(Read(Path("x")), Read(Path("y")));
}

TEST_F(Export, AShardedCheckpointHasTheTensorsOfEachFileInTurn) {
  std::vector<TensorSource> sources;
  for (const char* name : {"d", "c", "b", "a"})
    sources.push_back({name, delta::DType::kU8, {4}, [name] { return Bytes(4, *name); }});
  sources[0].parts = [](const AppendBytes& append) {
    const Bytes half(2, 'd');
    EXPECT_EQ(append(half), OkStatus());
    return append(half);
  };
  ASSERT_EQ(StreamCheckpoint(Path(""), sources, {}, 8), OkStatus());
  const auto checkpoint = Open();
  EXPECT_EQ(checkpoint->index_file(), "model.safetensors.index.json");
  for (const auto& [name, view] : checkpoint->tensors()) {
    EXPECT_EQ(view.file,
              name > "b" ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors");
    EXPECT_EQ(Bytes(view.bytes.begin(), view.bytes.end()), Bytes(4, name[0]));
  }
  sources[0].parts = [](const AppendBytes& append) { return append(Bytes(5, 'd')); };
  EXPECT_EQ(StreamCheckpoint(Path(""), sources, {}, 8).code(), StatusCode::kInvalidArgument);
}

TEST_F(Export, RefusesToWriteWhatItWouldNotRead) {
  using delta::DType;
  const auto write = [&](std::vector<NewTensor> tensors) {
    return WriteSafetensors(Path("x"), tensors, {}).code();
  };
  EXPECT_EQ(write({{"__metadata__", DType::kU8, {1}, {1}}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(write({{"a", DType::kU8, {1}, {1}}, {"a", DType::kU8, {1}, {1}}}),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(write({{"a", DType::kF32, {1}, {1}}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(write({{"a", DType::kF32, {std::uint64_t{1} << 62, 8}, {}}}),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(write({{"\xff", DType::kU8, {1}, {1}}}), StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteSafetensors(Path("x"), {}, {{"a", "\xff"}}).code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(Path("x")));
  EXPECT_EQ(WriteSafetensors(Path("nowhere/x"), {}, {}).code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace emend::storage::checkpoint::export_test
