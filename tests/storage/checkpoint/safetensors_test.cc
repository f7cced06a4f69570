// The header of one file: what is read, and that every fault is refused under its own name.
#include "storage/checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include "tests/storage/checkpoint/checkpoint_fixture.h"

namespace emend::storage::checkpoint::safetensors_test {
namespace {

Status Parse(const Bytes& file) { return ParseSafetensors(file, "model.safetensors").status(); }

void ExpectRefused(const Bytes& file, const std::string& slug,
                   StatusCode code = StatusCode::kInvalidArgument) {
  const auto views = ParseSafetensors(file, "model.safetensors");
  ASSERT_FALSE(views.ok()) << "expected " << slug;
  EXPECT_EQ(views.status().slug(), slug) << views.status().message();
  EXPECT_EQ(views.status().code(), code);
  EXPECT_NE(views.status().message().find("\"model.safetensors\""), std::string::npos)
      << views.status().message();
}
void ExpectRefused(const std::string& header, const std::string& slug,
                   StatusCode code = StatusCode::kInvalidArgument) {
  ExpectRefused(FileOf(header, 8), slug, code);
}

std::string One(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

TEST(Safetensors, ReadsTensorsSortedByOffset) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2],"data_offsets":[4,8]},)"
      R"("a":{"data_offsets":[0,4],"shape":[1,1],"dtype":"F32"}}   )";
  const Bytes file = FileOf(header, 8);
  const auto views = ParseSafetensors(file, "x.safetensors");
  ASSERT_TRUE(views.ok()) << views.status().ToString();
  ASSERT_EQ(views->size(), 2U);
  EXPECT_EQ((*views)[0].name, "a");
  EXPECT_EQ((*views)[0].dtype, delta::DType::kF32);
  EXPECT_EQ((*views)[0].shape, (std::vector<std::uint64_t>{1, 1}));
  EXPECT_EQ((*views)[1].name, "b");
  EXPECT_EQ((*views)[1].file, "x.safetensors");
  EXPECT_EQ((*views)[1].file_offset, 8 + header.size() + 4);
  EXPECT_EQ((*views)[1].bytes.data(), file.data() + 8 + header.size() + 4);
  EXPECT_EQ((*views)[1].bytes.size(), 4U);
}

TEST(Safetensors, ReadsScalarsEmptyTensorsAndEmptyFiles) {
  EXPECT_EQ(Parse(FileOf("{}", 0)), OkStatus());
  EXPECT_EQ(Parse(FileOf(One("F64", "[]", "[0,8]"), 8)), OkStatus());
  EXPECT_EQ(Parse(FileOf(One("F32", "[0,5]", "[0,0]"), 0)), OkStatus());
  const std::string empty_between =
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"e":{"dtype":"U8","shape":[0],"data_offsets":[4,4]},)"
      R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})";
  EXPECT_EQ(Parse(FileOf(empty_between, 8)), OkStatus());
}

TEST(Safetensors, RefusesAFileWithoutALength) {
  ExpectRefused(Bytes(), "safetensors_too_short");
  ExpectRefused(Bytes(7, 0), "safetensors_too_short");
}

TEST(Safetensors, RefusesAHeaderLongerThanTheFile) {
  ExpectRefused(FileOf("{}", 0, 3), "safetensors_header_too_long");
  for (const std::uint64_t length :
       {~std::uint64_t{0}, ~std::uint64_t{0} - 7, std::uint64_t{1} << 63}) {
    ExpectRefused(FileOf("{}", 100, length), "safetensors_header_too_long");
  }
}

TEST(Safetensors, RefusesAHeaderBeyond100MB) {
  const std::uint64_t length = 100'000'001;
  Bytes file = FileOf("{}", 0, length);
  file.resize(8 + length, ' ');
  ExpectRefused(file, "safetensors_header_too_long");
}

TEST(Safetensors, RefusesAHeaderThatIsNoObject) {
  for (const char* header : {"", "[]", "null", "7", "\"w\"", " {}", "\xef\xbb\xbf{}"})
    ExpectRefused(header, "safetensors_not_object");
}

TEST(Safetensors, RefusesMalformedJson) {
  for (const char* header : {"{", "{}}", "{} x", "{\"w\"}", "{\"w\":}", "{'w':1}", "{\"\xff\":{}}",
                             "{}/**/", "{\"w\":{\"shape\":[01]}}", "{\"w\":{\"shape\":[1,]}}"}) {
    ExpectRefused(header, "safetensors_not_json");
  }
}

TEST(Safetensors, RefusesBytesHiddenBehindAZeroByte) {
  ExpectRefused(std::string("{}\0junk", 7), "safetensors_not_json");
}

TEST(Safetensors, RefusesDuplicateNames) {
  const std::string w = R"("w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  ExpectRefused("{" + w + "," + w + "}", "safetensors_duplicate_name");
  ExpectRefused("{" + w + R"(,"\u0077":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                "safetensors_duplicate_name");
  ExpectRefused(R"({"__metadata__":{},"__metadata__":{}})", "safetensors_duplicate_name");
  ExpectRefused(R"({"__metadata__":{"a":"1","a":"2"}})", "safetensors_duplicate_name");
  ExpectRefused(R"({"w":{"dtype":"U8","dtype":"F64","shape":[8],"data_offsets":[0,8]}})",
                "safetensors_duplicate_name");
}

TEST(Safetensors, RefusesUnknownAndMissingFields) {
  ExpectRefused(R"({"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"stride":[1]}})",
                "safetensors_unknown_field");
  ExpectRefused(R"({"w":{"dtype":"U8","shape":[8]}})", "safetensors_missing_field");
  ExpectRefused(R"({"w":{"dtype":"U8","data_offsets":[0,8]}})", "safetensors_missing_field");
  ExpectRefused(R"({"w":{"shape":[8],"data_offsets":[0,8]}})", "safetensors_missing_field");
  ExpectRefused(R"({"w":{}})", "safetensors_missing_field");
}

TEST(Safetensors, RefusesFieldsOfTheWrongType) {
  ExpectRefused(R"({"w":7})", "safetensors_wrong_type");
  ExpectRefused(R"({"w":[]})", "safetensors_wrong_type");
  ExpectRefused(R"({"w":{"dtype":7}})", "safetensors_wrong_type");
  ExpectRefused(R"({"w":{"dtype":["U8"]}})", "safetensors_wrong_type");
  ExpectRefused(R"({"w":{"dtype":null}})", "safetensors_wrong_type");
  ExpectRefused(R"({"w":{"dtype":{}}})", "safetensors_wrong_type");
  ExpectRefused(One("U8", "8", "[0,8]"), "safetensors_wrong_type");
  ExpectRefused(One("U8", "\"8\"", "[0,8]"), "safetensors_wrong_type");
  ExpectRefused(One("U8", "[[8]]", "[0,8]"), "safetensors_wrong_type");
  ExpectRefused(One("U8", "[\"8\"]", "[0,8]"), "safetensors_wrong_type");
  ExpectRefused(One("U8", "[true]", "[0,8]"), "safetensors_wrong_type");
  ExpectRefused(One("U8", "[8]", "[8]"), "safetensors_wrong_type");
  ExpectRefused(One("U8", "[8]", "[0,8,8]"), "safetensors_wrong_type");
  ExpectRefused(One("U8", "[8]", "{}"), "safetensors_wrong_type");
}

TEST(Safetensors, RefusesMetadataThatIsNotText) {
  for (const char* value : {"7", "[]", "null", "\"pt\"", R"({"a":1})", R"({"a":null})",
                            R"({"a":["b"]})", R"({"a":{"b":"c"}})"}) {
    ExpectRefused(std::string(R"({"__metadata__":)") + value + "}", "safetensors_bad_metadata");
  }
}

TEST(Safetensors, RefusesUnknownDTypes) {
  for (const char* dtype : {"", "f32", "F31", "F4", "Q8_0", "BF16 "})
    ExpectRefused(One(dtype, "[8]", "[0,8]"), "safetensors_unknown_dtype",
                  StatusCode::kUnsupported);
}

TEST(Safetensors, RefusesNegativeNumbers) {
  for (const char* number :
       {"-8", "-0", "-9223372036854775808", "-9223372036854775809", "-99999999999999999999999"}) {
    ExpectRefused(One("U8", "[" + std::string(number) + "]", "[0,8]"),
                  "safetensors_negative_number");
    ExpectRefused(One("U8", "[8]", "[" + std::string(number) + ",8]"),
                  "safetensors_negative_number");
  }
}

TEST(Safetensors, RefusesNumbersThatAreNotWrittenAsIntegers) {
  for (const char* number : {"8.0", "8e0", "1e3", "0.5", "1E1", "-8.5"}) {
    ExpectRefused(One("U8", "[" + std::string(number) + "]", "[0,8]"),
                  "safetensors_fractional_number");
    ExpectRefused(One("U8", "[8]", "[0," + std::string(number) + "]"),
                  "safetensors_fractional_number");
  }
}

TEST(Safetensors, RefusesNumbersBeyond64Bits) {
  for (const char* number : {"18446744073709551616", "99999999999999999999999999999999", "1e999"}) {
    ExpectRefused(One("U8", "[" + std::string(number) + "]", "[0,8]"),
                  "safetensors_number_overflow");
  }
}

TEST(Safetensors, RefusesShapesWhoseProductOverflows) {
  ExpectRefused(One("U8", "[4294967296,4294967296]", "[0,0]"), "safetensors_shape_overflow");
  ExpectRefused(One("F32", "[4611686018427387904]", "[0,0]"), "safetensors_shape_overflow");
  ExpectRefused(One("U8", "[18446744073709551615,18446744073709551615,8]", "[0,8]"),
                "safetensors_shape_overflow");
  ExpectRefused(One("U8", "[0,4294967296,4294967296]", "[0,0]"), "safetensors_shape_overflow");
}

TEST(Safetensors, RefusesReversedOffsets) {
  ExpectRefused(One("U8", "[4]", "[8,4]"), "safetensors_offsets_reversed");
}

TEST(Safetensors, RefusesOverlappingTensors) {
  ExpectRefused(
      R"({"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
      "safetensors_offsets_overlap");
  ExpectRefused(
      R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})",
      "safetensors_offsets_overlap");
}

TEST(Safetensors, RefusesHoles) {
  ExpectRefused(
      R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
      "safetensors_offsets_hole");
  ExpectRefused(One("U8", "[7]", "[1,8]"), "safetensors_offsets_hole");
}

TEST(Safetensors, RefusesOffsetsPastTheEnd) {
  ExpectRefused(One("U8", "[9]", "[0,9]"), "safetensors_offsets_past_the_end");
  ExpectRefused(One("U8", "[8]", "[18446744073709551607,18446744073709551615]"),
                "safetensors_offsets_past_the_end");
}

TEST(Safetensors, RefusesASizeThatDTypeAndShapeDoNotGive) {
  ExpectRefused(One("U8", "[7]", "[0,8]"), "safetensors_size_mismatch");
  ExpectRefused(One("F32", "[3]", "[0,8]"), "safetensors_size_mismatch");
  ExpectRefused(One("F32", "[0]", "[0,8]"), "safetensors_size_mismatch");
}

TEST(Safetensors, RefusesTrailingBytes) {
  ExpectRefused(FileOf(One("U8", "[8]", "[0,8]"), 9), "safetensors_trailing_bytes");
  ExpectRefused(FileOf("{}", 1), "safetensors_trailing_bytes");
}

}  // namespace
}  // namespace emend::storage::checkpoint::safetensors_test
