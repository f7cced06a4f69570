// Folders: single files, sharded ones, and what is refused about an index.
#include <gtest/gtest.h>

#include "tests/storage/checkpoint/checkpoint_fixture.h"
#include "tests/storage/checkpoint/write_tensors.h"

namespace emend::storage::checkpoint::checkpoint_test {
namespace {

class CheckpointTest : public FolderTest {
 protected:
  void WritePart(const std::string& name, const std::vector<std::string>& tensors) {
    std::vector<NewTensor> list;
    for (const std::string& tensor : tensors)
      list.push_back(
          {tensor, delta::DType::kU8, {3}, {1, 2, static_cast<std::uint8_t>(tensor[0])}});
    ASSERT_EQ(WriteSafetensors(Path(name), list, {}), OkStatus());
  }
  void WriteIndex(const std::string& weight_map) {
    Write("model.safetensors.index.json",
          R"({"metadata":{"total_size":9},"weight_map":)" + weight_map + "}");
  }

  void ExpectRefused(const std::string& slug) {
    const Status status = Checkpoint::Open(folder_).status();
    EXPECT_EQ(status.slug(), slug) << status.message();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  }
};

TEST_F(CheckpointTest, OpensASingleFile) {
  WritePart("model.safetensors", {"a", "b"});
  const auto checkpoint = Checkpoint::Open(folder_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().ToString();
  EXPECT_EQ((*checkpoint)->files(), std::vector<std::string>{"model.safetensors"});
  EXPECT_EQ((*checkpoint)->folder(), folder_);
  EXPECT_EQ((*checkpoint)->tensors().size(), 2U);
  EXPECT_EQ((*checkpoint)->Find("b")->bytes[2], 'b');
  const Status missing = (*checkpoint)->Find("c").status();
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_NE(missing.message().find("\"c\""), std::string::npos);
  EXPECT_NE(missing.message().find(folder_), std::string::npos);
}

TEST_F(CheckpointTest, OpensShardsInTheIndexsOrder) {
  WritePart("two.safetensors", {"b", "c"});
  WritePart("one.safetensors", {"a"});
  WriteIndex(R"({"c":"two.safetensors","a":"one.safetensors","b":"two.safetensors"})");
  const auto checkpoint = Checkpoint::Open(folder_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().ToString();
  EXPECT_EQ((*checkpoint)->files(),
            (std::vector<std::string>{"two.safetensors", "one.safetensors"}));
  EXPECT_EQ((*checkpoint)->Find("a")->file, "one.safetensors");
  EXPECT_EQ((*checkpoint)->Find("c")->bytes[2], 'c');
}

TEST_F(CheckpointTest, NamesWhatItLooksForInAFolderWithout) {
  const Status status = Checkpoint::Open(folder_).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find("model.safetensors.index.json"), std::string::npos);
  EXPECT_EQ(Checkpoint::Open(Path("nowhere")).status().code(), StatusCode::kNotFound);
}

TEST_F(CheckpointTest, RefusesAMalformedOrEmptyFile) {
  Write("model.safetensors", std::string());
  ExpectRefused("safetensors_too_short");
  Write("model.safetensors", FileOf("{}", 1));
  ExpectRefused("safetensors_trailing_bytes");
}

TEST_F(CheckpointTest, RefusesAnIndexThatNamesAMissingFile) {
  WritePart("one.safetensors", {"a"});
  WriteIndex(R"({"a":"one.safetensors","b":"two.safetensors"})");
  ExpectRefused("index_missing_file");
}

TEST_F(CheckpointTest, RefusesAnIndexThatNamesAMissingTensor) {
  WritePart("one.safetensors", {"a"});
  WriteIndex(R"({"a":"one.safetensors","b":"one.safetensors"})");
  ExpectRefused("index_missing_tensor");
}

TEST_F(CheckpointTest, RefusesATensorThatTheIndexDoesNotList) {
  WritePart("one.safetensors", {"a", "b"});
  WriteIndex(R"({"a":"one.safetensors"})");
  ExpectRefused("index_unlisted_tensor");
}

TEST_F(CheckpointTest, RefusesATensorInAnotherFileThanListed) {
  WritePart("one.safetensors", {"a", "b"});
  WritePart("two.safetensors", {"b"});
  WriteIndex(R"({"a":"one.safetensors","b":"two.safetensors"})");
  ExpectRefused("index_wrong_file");
}

TEST_F(CheckpointTest, RefusesFileNamesThatLeaveTheFolder) {
  for (const char* name : {"../one.safetensors", "/etc/passwd", "sub/one.safetensors", "", ".",
                           "..", "a\\\\b", "one\\u0000"}) {
    WriteIndex(std::string(R"({"a":")") + name + R"("})");
    ExpectRefused("index_bad_file_name");
  }
}

TEST_F(CheckpointTest, RefusesMalformedIndexes) {
  WritePart("one.safetensors", {"a"});
  WriteIndex(R"({"a":"one.safetensors","a":"one.safetensors"})");
  ExpectRefused("index_duplicate_name");
  WriteIndex(R"({"a":"one.safetensors"},"weight_map":{})");
  ExpectRefused("index_duplicate_name");
  WriteIndex(R"({"a":1})");
  ExpectRefused("index_wrong_type");
  WriteIndex(R"({"a":{"b":"one.safetensors"}})");
  ExpectRefused("index_wrong_type");
  WriteIndex(R"(["one.safetensors"])");
  ExpectRefused("index_wrong_type");
  WriteIndex(R"("one.safetensors")");
  ExpectRefused("index_wrong_type");
  WriteIndex(R"({"a":"one.safetensors")");
  ExpectRefused("index_not_json");
  Write("model.safetensors.index.json", std::string("[]"));
  ExpectRefused("index_not_object");
  Write("model.safetensors.index.json",
        std::string(R"({"metadata":{"weight_map":{"a":"one.safetensors"}}})"));
  ExpectRefused("index_missing_weight_map");
}

TEST_F(CheckpointTest, IgnoresTheIndexsMetadata) {
  WritePart("one.safetensors", {"a"});
  Write(
      "model.safetensors.index.json",
      std::string(
          R"({"metadata":{"total_size":-1.5e3,"x":[{"y":null}],"z":true},"weight_map":{"a":"one.safetensors"},"extra":[1,"two"]})"));
  EXPECT_EQ(Checkpoint::Open(folder_).status(), OkStatus());
}

}  // namespace
}  // namespace emend::storage::checkpoint::checkpoint_test
