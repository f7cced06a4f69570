#include "storage/checkpoint/gguf.h"

#include <cstring>
#include <limits>

#include "storage/checkpoint/safetensors.h"
#include "tests/storage/checkpoint/checkpoint_fixture.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/status_matchers.h"

namespace emend::storage::checkpoint::gguf_test {
namespace {

using test::GgufWriter;
using test::IsOk;
using test::IsOkAndHolds;
using test::StatusIs;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;

constexpr char kGolden[] = "tests/golden/gguf/blocks.gguf";

std::span<const std::uint8_t> AsBytes(const std::string& file) {
  return {reinterpret_cast<const std::uint8_t*>(file.data()), file.size()};
}

// Eight numbers, as two tensors have them here.
std::string Eight() {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += GgufWriter::Bits(static_cast<float>(i));
  return bytes;
}

class GgufTest : public FolderTest {
 protected:
  GgufTest() { writer_.Text("general.architecture", "llama"); }

  void ExpectRefused(const std::string& file, StatusCode code, const char* slug,
                     const char* words) const {
    const auto parsed = GgufFile::Parse(AsBytes(file), "x.gguf");
    EXPECT_THAT(parsed.status(), StatusIs(code, slug));
    EXPECT_THAT(parsed.status().message(), HasSubstr("\"x.gguf\""));
    EXPECT_THAT(parsed.status().message(), HasSubstr(words));
  }
  void ExpectRefused(StatusCode code, const char* slug, const char* words) const {
    ExpectRefused(writer_.Build(), code, slug, words);
  }

  GgufWriter writer_;
};

TEST_F(GgufTest, EveryTypeIsDequantisedToTheBit) {
  const auto file = GgufFile::Open(kGolden);
  ASSERT_THAT(file, IsOk());
  // a checkpoint is a folder with this file name
  std::filesystem::copy("tests/golden/gguf/blocks.safetensors", Path("model.safetensors"));
  ASSERT_OK_AND_ASSIGN(const auto golden, Checkpoint::Open(folder_));
  EXPECT_EQ(file->tensors().size(), 11U);
  for (const GgufTensor& tensor : file->tensors()) {
    ASSERT_OK_AND_ASSIGN(const TensorView expected, golden->Find(tensor.name));
    EXPECT_EQ(tensor.name, tensor.type->name);
    EXPECT_EQ(tensor.shape, expected.shape);
    ASSERT_EQ(tensor.rows(), 2U);
    std::vector<float> row(tensor.row_elements());
    for (std::uint64_t i = 0; i < tensor.rows(); ++i) {
      tensor.ReadRow(i, row);
      EXPECT_EQ(std::memcmp(row.data(), expected.bytes.data() + i * row.size() * sizeof(float),
                            row.size() * sizeof(float)),
                0)
          << tensor.name << " row " << i;
    }
  }
}

TEST_F(GgufTest, EveryKindOfValueIsRead) {
  const auto file = GgufFile::Open(kGolden);
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->Integer("test.u8"), IsOkAndHolds(Optional(200)));
  EXPECT_THAT(file->Integer("test.u16"), IsOkAndHolds(Optional(60000)));
  EXPECT_THAT(file->Integer("test.u32"), IsOkAndHolds(Optional(4000000000)));
  EXPECT_THAT(file->Integer("test.u64"), IsOkAndHolds(Optional(std::int64_t{1} << 40)));
  EXPECT_THAT(file->Number("test.i8"), IsOkAndHolds(Optional(-100.0)));
  EXPECT_THAT(file->Number("test.i16"), IsOkAndHolds(Optional(-30000.0)));
  EXPECT_THAT(file->Number("test.i32"), IsOkAndHolds(Optional(-2000000000.0)));
  EXPECT_THAT(file->Number("test.i64"), IsOkAndHolds(Optional(-0x1p40)));
  EXPECT_THAT(file->Number("test.f32"), IsOkAndHolds(Optional(static_cast<double>(0.1F))));
  EXPECT_THAT(file->Number("test.f64"), IsOkAndHolds(Optional(0.1)));
  EXPECT_THAT(file->Flag("test.flag"), IsOkAndHolds(Optional(true)));
  EXPECT_THAT(file->Text("test.text"), IsOkAndHolds(Optional(std::string_view("café 🐍"))));
  EXPECT_THAT((*file->Array("test.texts"))->texts, ElementsAre("a", "", "日本"));
  EXPECT_THAT((*file->Array("test.integers"))->numbers, ElementsAre(1, -2, 3));
  EXPECT_THAT((*file->Array("test.numbers"))->numbers, ElementsAre(0.5, -1.5));
  EXPECT_THAT((*file->Array("test.flags"))->numbers, ElementsAre(1, 0));
  EXPECT_THAT(file->Integer("test.none"), IsOkAndHolds(std::optional<std::int64_t>()));
  EXPECT_THAT(file->Array("test.none"), IsOkAndHolds(nullptr));
}

TEST_F(GgufTest, AValueOfAnotherKindIsRefusedByKey) {
  writer_.Integers("heads", {4, 4, 4});
  writer_.Integers("mixed", {4, 2});
  writer_.Text("latin", "caf\xe9");
  writer_.Number("endless", std::numeric_limits<float>::infinity());
  const std::string bytes = writer_.Build();
  const auto file = GgufFile::Parse(AsBytes(bytes), "x.gguf");
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->Integer("heads"), IsOkAndHolds(Optional(4)));
  for (const Status& status :
       {file->Integer("mixed").status(), file->Integer("general.architecture").status(),
        file->Number("latin").status(), file->Number("endless").status(),
        file->Text("latin").status(), file->Text("heads").status(), file->Flag("heads").status(),
        file->Array("latin").status()})
    EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument, "gguf_bad_value"));
}

TEST_F(GgufTest, TensorsAreOrderedByTheirBytesAndNamedOutermostFirst) {
  writer_.version = 2;
  writer_.Tensor("b", {2, 4}, test::kGgufF32, Eight(), 32);
  writer_.Tensor("a", {8}, test::kGgufF32, Eight(), 0);
  const std::string bytes = writer_.Build();
  const auto file = GgufFile::Parse(AsBytes(bytes), "x.gguf");
  ASSERT_THAT(file, IsOk());
  ASSERT_EQ(file->tensors().size(), 2U);
  EXPECT_EQ(file->tensors()[0].name, "a");
  const GgufTensor* const b = file->Find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_THAT(b->shape, ElementsAre(2, 4));
  std::vector<float> row(4);
  b->ReadRow(1, row);
  EXPECT_THAT(row, ElementsAre(4, 5, 6, 7));
  EXPECT_EQ(file->Find("c"), nullptr);
}

TEST_F(GgufTest, WhatIsNoGgufOfAKnownVersionIsRefused) {
  writer_.magic = "GGML";
  ExpectRefused(StatusCode::kInvalidArgument, "gguf_magic", "no GGUF file");
  ExpectRefused("GG", StatusCode::kInvalidArgument, "gguf_magic", "no GGUF file");
  writer_.magic = "GGUF";
  writer_.version = 1;
  ExpectRefused(StatusCode::kUnsupported, "gguf_version", "found version 1, expected 2 or 3");
  writer_.version = 0x03000000;
  ExpectRefused(StatusCode::kUnsupported, "gguf_big_endian", "little-endian");
}

TEST_F(GgufTest, OneOfSeveralFilesIsRefused) {
  Write("model-00002-of-00003.gguf", writer_.Build());
  EXPECT_THAT(GgufFile::Open(Path("model-00002-of-00003.gguf")).status(),
              StatusIs(StatusCode::kUnsupported, "gguf_part"));
  Write("model-00001-of-00001.gguf", writer_.Build());
  EXPECT_THAT(GgufFile::Open(Path("model-00001-of-00001.gguf")), IsOk());
  writer_.Integer("split.count", 2);
  ExpectRefused(StatusCode::kUnsupported, "gguf_part", "llama-gguf-split --merge");
}

TEST_F(GgufTest, CountsAndLengthsThatLieAreRefused) {
  constexpr std::uint64_t kHuge = ~std::uint64_t{0};
  GgufWriter lying = writer_;
  lying.tensor_count = kHuge;
  ExpectRefused(lying.Build(), StatusCode::kInvalidArgument, "gguf_bad_count", "tensors");
  lying = writer_;
  lying.pair_count = kHuge;
  ExpectRefused(lying.Build(), StatusCode::kInvalidArgument, "gguf_bad_count", "metadata keys");
  lying = writer_;
  lying.Array("list", test::kGgufInt32, kHuge / 4, "");
  ExpectRefused(lying.Build(), StatusCode::kInvalidArgument, "gguf_bad_count", "\"list\"");
  lying = writer_;
  lying.Pair("text", test::kGgufString, GgufWriter::LittleEndian(kHuge, 8));
  ExpectRefused(lying.Build(), StatusCode::kInvalidArgument, "gguf_bad_count", "\"text\"");
  lying = writer_;
  lying.Array("long", 0, (1 << 24) + 1, std::string((1 << 24) + 1, 'x'));
  ExpectRefused(lying.Build(), StatusCode::kInvalidArgument, "gguf_bad_count", "at most 16777216");
}

TEST_F(GgufTest, KeysAndKindsThatAreWrongAreRefused) {
  GgufWriter wrong = writer_;
  wrong.Text("general.architecture", "llama");
  ExpectRefused(wrong.Build(), StatusCode::kInvalidArgument, "gguf_duplicate",
                "\"general.architecture\" twice");
  wrong = writer_;
  wrong.Pair("key", 13, "");
  ExpectRefused(wrong.Build(), StatusCode::kInvalidArgument, "gguf_bad_type", "type 13");
  wrong = writer_;
  wrong.Array("key", 77, 1, "x");
  ExpectRefused(wrong.Build(), StatusCode::kInvalidArgument, "gguf_bad_type", "type 77");
  wrong = writer_;
  wrong.Array("key", test::kGgufArray, 0, "");
  ExpectRefused(wrong.Build(), StatusCode::kUnsupported, "gguf_nested_array", "list of lists");
  wrong = writer_;
  wrong.Integer("caf\xe9", 1);
  ExpectRefused(wrong.Build(), StatusCode::kInvalidArgument, "gguf_bad_text", "expected UTF-8");
  wrong = writer_;
  wrong.Integer(std::string(65536, 'k'), 1);
  ExpectRefused(wrong.Build(), StatusCode::kInvalidArgument, "gguf_bad_text", "65536 bytes");
  wrong = writer_;
  wrong.Integer("general.alignment", 24);
  ExpectRefused(wrong.Build(), StatusCode::kInvalidArgument, "gguf_bad_alignment", "power of two");
}

TEST_F(GgufTest, TensorsThatCannotBeAreRefused) {
  const auto refused = [&](const std::vector<std::uint64_t>& shape, std::uint32_t type,
                           std::uint64_t offset, StatusCode code, const char* slug,
                           const char* words) {
    GgufWriter wrong = writer_;
    wrong.Tensor("first", {8}, test::kGgufF32, Eight());
    wrong.Tensor("second", shape, type, Eight(), offset);
    ExpectRefused(wrong.Build(), code, slug, words);
  };
  constexpr StatusCode kInvalid = StatusCode::kInvalidArgument;
  refused({8}, 99, 32, StatusCode::kUnsupported, "unsupported_dtype",
          "type 99, expected one of F32");
  refused({8}, 16, 32, StatusCode::kUnsupported, "unsupported_dtype", "type 16 (IQ2_XXS)");
  refused({}, 0, 32, kInvalid, "gguf_bad_shape", "0 dimensions");
  refused({1, 1, 1, 1, 8}, 0, 32, kInvalid, "gguf_bad_shape", "5 dimensions");
  refused({8, 0}, 0, 32, kInvalid, "gguf_bad_shape", "a dimension of 0");
  refused({2, 4}, test::kGgufQ8Zero, 32, kInvalid, "gguf_bad_shape", "rows of 4 elements");
  refused({std::uint64_t{1} << 62, 8}, 0, 32, kInvalid, "gguf_bad_shape", "leaves 64 bits");
  refused({std::uint64_t{1} << 62}, 0, 32, kInvalid, "gguf_bad_shape", "leaves 64 bits");
  refused({8}, 0, 40, kInvalid, "gguf_bad_offset", "expected a multiple of 32");
  refused({8}, 0, 64, kInvalid, "gguf_bad_offset", "past the end");
  refused({8}, 0, ~std::uint64_t{31}, kInvalid, "gguf_bad_offset", "past the end");
  refused({9}, 0, 32, kInvalid, "gguf_bad_offset", "36 bytes long");
  refused({8}, 0, 0, kInvalid, "gguf_overlap", "where another ends at 32");
  writer_.Tensor("second", {8}, test::kGgufF32, Eight());
  refused({8}, 0, 64, kInvalid, "gguf_duplicate", "\"second\" twice");
}

TEST_F(GgufTest, TheDataBeginsWhereTheAlignmentSays) {
  writer_.alignment = 128;
  writer_.Integer("general.alignment", 128);
  writer_.Tensor("a", {8}, test::kGgufF32, Eight());
  const std::string bytes = writer_.Build();
  const auto file = GgufFile::Parse(AsBytes(bytes), "x.gguf");
  ASSERT_THAT(file, IsOk());
  std::vector<float> row(8);
  file->tensors()[0].ReadRow(0, row);
  EXPECT_THAT(row, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST_F(GgufTest, EveryTruncationIsRefused) {
  writer_.Integers("list", {1, 2});
  writer_.Tensor("a", {8}, test::kGgufF32, Eight());
  const std::string file = writer_.Build();
  ASSERT_THAT(GgufFile::Parse(AsBytes(file), "x.gguf"), IsOk());
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(GgufFile::Parse(AsBytes(file).first(size), "x.gguf").status().code(),
              StatusCode::kInvalidArgument)
        << size;
  }
}

TEST_F(GgufTest, AFileWithoutTensorsIsRead) {
  const std::string bytes = writer_.Build();
  const auto file = GgufFile::Parse(AsBytes(bytes), "x.gguf");
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->tensors(), IsEmpty());
  EXPECT_THAT(GgufFile::Open(Path("none.gguf")).status(),
              StatusIs(StatusCode::kNotFound, "not_found"));
}

}  // namespace
}  // namespace emend::storage::checkpoint::gguf_test
