#include "storage/delta/payload.h"

#include <gtest/gtest.h>

#include <limits>

#include "storage/base/encoding.h"
#include "tests/storage/delta/delta_fixture.h"

namespace emend::storage::delta::payload_test {
namespace {

constexpr char kGolden[] = "tests/golden/payload-v1.bin";
constexpr char kGoldenKeys[] = "tests/golden/payload-keys-v1.bin";
constexpr char kGoldenTarget[] = "tests/golden/payload-target-v1.bin";

class Payload : public testing::Test {
 protected:
  EditDelta RandomDelta() {
    EditDelta delta;
    const std::size_t count = source_.Below(4);
    for (std::size_t i = 0; i < count; ++i) {
      TensorDelta tensor{
          "layer." + std::to_string(i), 1 + source_.Below(40), 1 + source_.Below(40), {}};
      tensor.columns = source_.Columns(source_.Below(12), tensor.rows, tensor.cols);
      delta.tensors.push_back(std::move(tensor));
    }
    return delta;
  }
  std::vector<EditKey> RandomKeys() {
    std::vector<EditKey> keys;
    const std::size_t count = source_.Below(4);
    for (std::size_t i = 0; i < count; ++i) {
      EditKey key{"layer." + std::to_string(i), {}};
      key.values.resize(source_.Below(50));
      for (float& value : key.values) value = static_cast<float>(source_.Normal(1));
      keys.push_back(std::move(key));
    }
    return keys;
  }
  std::string Damage(std::string bytes) {
    if (source_.Below(3) == 0) return bytes.substr(0, source_.Below(bytes.size()));
    const std::size_t flips = 1 + source_.Below(3);
    for (std::size_t i = 0; i < flips; ++i)
      bytes[source_.Below(bytes.size())] ^= static_cast<char>(1U << source_.Below(8));
    return bytes;
  }
  // A whole payload around a body of our making.
  static std::string Wrapped(std::uint16_t codec, const std::string& body) {
    Encoder out(RecordType::kPayload, 1);
    out.U16(codec);
    out.U16(1);
    out.U16(0);
    out.Text("");
    out.Text("");
    out.U64(body.size());
    out.U32(Crc32c(body));
    out.Raw(body);
    return out.bytes();
  }

  Source source_{13};
};

TEST_F(Payload, ColumnsRoundTrip) {
  for (int i = 0; i < 200; ++i) {
    const EditDelta delta = RandomDelta();
    const auto decoded = DecodeEditDelta(EncodePayload(delta));
    ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
    EXPECT_EQ(*decoded, delta);
  }
}

TEST_F(Payload, KeysRoundTrip) {
  for (int i = 0; i < 200; ++i) {
    const std::vector<EditKey> keys = RandomKeys();
    const auto decoded = DecodeEditKeys(EncodePayload(keys));
    ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
    EXPECT_EQ(*decoded, keys);
  }
}

TEST_F(Payload, TargetsRoundTrip) {
  for (const std::size_t size : {0, 1, 768}) {
    EditTarget target{LayerIndex(8), std::vector<float>(size)};
    for (float& value : target.values) value = static_cast<float>(source_.Normal(1));
    EXPECT_EQ(DecodeEditTarget(EncodePayload(target)).value(), target);
    EXPECT_EQ(DecodeEditKeys(EncodePayload(target)).status().code(), StatusCode::kDataLoss);
  }
}

TEST_F(Payload, DamagedTargetsAreDataLossOrUnchanged) {
  const std::string stored = EncodePayload(EditTarget{LayerIndex(8), {1.5F, -0.0F, 3e-39F}});
  for (int i = 0; i < 20000; ++i) {
    const std::string damaged = Damage(stored);
    const auto decoded = DecodeEditTarget(damaged);
    if (decoded.ok()) {
      EXPECT_EQ(damaged, stored);
    } else {
      EXPECT_EQ(decoded.status().code(), StatusCode::kDataLoss);
    }
  }
}

TEST_F(Payload, ManySmallColumnsRoundTrip) {
  const EditDelta delta{{TensorDelta{"t", 1, 1, source_.Columns(1000, 1, 1)}}};
  EXPECT_EQ(DecodeEditDelta(EncodePayload(delta)).value(), delta);
}

TEST_F(Payload, GoldenColumnsDecodeAndEncodeByteForByte) {
  const std::string stored = ReadFile(kGolden);
  const auto delta = DecodeEditDelta(stored);
  ASSERT_TRUE(delta.ok()) << delta.status().ToString();
  ASSERT_EQ(delta->tensors.size(), 2U);
  EXPECT_EQ(delta->tensors[0].tensor, "transformer.h.3.mlp.c_proj.weight");
  EXPECT_EQ(delta->tensors[0].columns[0], (Column{11, {32767, -32767, 0}, {1, -2}}));
  EXPECT_EQ(delta->tensors[0].columns[1], (Column{0, {1, 2, 3}, {-32768, 4}}));
  EXPECT_EQ(delta->tensors[1].columns[0], (Column{62, {0, 0}, {7, 8, 9, 10}}));
  EXPECT_EQ(EncodePayload(*delta), stored);
}

TEST_F(Payload, GoldenKeysDecodeAndEncodeByteForByte) {
  const std::string stored = ReadFile(kGoldenKeys);
  const auto keys = DecodeEditKeys(stored);
  ASSERT_TRUE(keys.ok()) << keys.status().ToString();
  ASSERT_EQ(keys->size(), 2U);
  EXPECT_EQ((*keys)[0].values,
            (std::vector<float>{1.5F, -0.0F, std::numeric_limits<float>::denorm_min()}));
  EXPECT_EQ(EncodePayload(*keys), stored);
}

TEST_F(Payload, GoldenTargetDecodesAndEncodesByteForByte) {
  const std::string stored = ReadFile(kGoldenTarget);
  const EditTarget expected{LayerIndex(8), {1.5F, -0.0F, std::numeric_limits<float>::denorm_min()}};
  EXPECT_EQ(DecodeEditTarget(stored).value(), expected);
  EXPECT_EQ(EncodePayload(expected), stored);
}

TEST_F(Payload, DamagedColumnsAreDataLossOrUnchanged) {
  for (int i = 0; i < 20000; ++i) {
    const EditDelta delta = i % 2 == 0 ? DecodeEditDelta(ReadFile(kGolden)).value() : RandomDelta();
    const std::string stored = EncodePayload(delta);
    const std::string damaged = Damage(stored);
    const auto decoded = DecodeEditDelta(damaged);
    if (decoded.ok()) {
      EXPECT_EQ(damaged, stored);
      EXPECT_EQ(*decoded, delta);
    } else {
      EXPECT_EQ(decoded.status().code(), StatusCode::kDataLoss);
    }
  }
}

TEST_F(Payload, DamagedKeysAreDataLossOrUnchanged) {
  for (int i = 0; i < 20000; ++i) {
    const std::vector<EditKey> keys = RandomKeys();
    const std::string stored = EncodePayload(keys);
    const std::string damaged = Damage(stored);
    const auto decoded = DecodeEditKeys(damaged);
    if (decoded.ok()) {
      EXPECT_EQ(damaged, stored);
    } else {
      EXPECT_EQ(decoded.status().code(), StatusCode::kDataLoss);
    }
  }
}

// Damage that a correct checksum covers: the body's own checks must hold alone.
TEST_F(Payload, DamagedBodiesWithAValidChecksumNeverCrash) {
  for (int i = 0; i < 20000; ++i) {
    const bool is_columns = i % 2 == 0;
    const std::string stored =
        is_columns ? EncodePayload(RandomDelta()) : EncodePayload(RandomKeys());
    constexpr std::size_t kHeaderBytes = 2 + 2 + 2 + 2 + 2 + 4 + 4 + 8 + 4;
    const std::string body = Damage(stored.substr(kHeaderBytes));
    const std::string damaged = Wrapped(is_columns ? 1 : 16, body);
    const Status status =
        is_columns ? DecodeEditDelta(damaged).status() : DecodeEditKeys(damaged).status();
    if (!status.ok()) {
      EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    } else if (is_columns) {
      EXPECT_EQ(EncodePayload(*DecodeEditDelta(damaged)), damaged);
    }
  }
}

TEST_F(Payload, ColumnsAndKeysAreNotTakenForEachOther) {
  EXPECT_EQ(DecodeEditDelta(ReadFile(kGoldenKeys)).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(DecodeEditKeys(ReadFile(kGolden)).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(DecodeEditDelta("").status().code(), StatusCode::kDataLoss);
}

TEST_F(Payload, HugeCountsAllocateNothing) {
  Encoder body;
  body.Count(1);
  body.Text("t");
  body.U64(std::numeric_limits<std::uint64_t>::max() / 2);
  body.U64(1);
  body.Count(3);
  body.Raw(std::string(64, 'x'));
  EXPECT_EQ(DecodeEditDelta(Wrapped(1, body.bytes())).status().code(), StatusCode::kDataLoss);
}

TEST_F(Payload, UnsortedAndDoubledTensorsAreRefused) {
  for (const char* second : {"a", "b"}) {
    Encoder body;
    body.Count(2);
    for (const char* name : {"b", second}) {
      body.Text(name);
      body.U64(1);
      body.U64(1);
      body.Count(0);
    }
    EXPECT_EQ(DecodeEditDelta(Wrapped(1, body.bytes())).status().code(), StatusCode::kDataLoss);
  }
}

TEST_F(Payload, ShiftsBeyond62AreRefused) {
  Encoder body;
  body.Count(1);
  body.Text("t");
  body.U64(1);
  body.U64(1);
  body.Count(1);
  body.U8(63);
  body.U16(1);
  body.U16(1);
  EXPECT_EQ(DecodeEditDelta(Wrapped(1, body.bytes())).status().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace emend::storage::delta::payload_test
