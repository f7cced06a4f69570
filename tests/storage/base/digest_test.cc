#include "storage/base/digest.h"

#include "storage/base/ids.h"
#include "tests/support/status_matchers.h"

namespace emend::digest_test {
namespace {

using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;

// FIPS 180-4 examples.
TEST(DigestTest, Sha256AgreesWithKnownVectors) {
  EXPECT_EQ(Sha256("").Hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256("abc").Hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").Hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(Sha256(std::string(1'000'000, 'a')).Hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(DigestTest, AHashInPiecesIsTheHashOfTheWhole) {
  const std::string bytes(1000, 'x');
  for (const std::size_t piece : {1U, 63U, 64U, 65U, 999U}) {
    Sha256Hasher hasher;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      hasher.Update(std::string_view(bytes).substr(at, piece));
    EXPECT_EQ(hasher.Finish(), Sha256(bytes)) << piece;
  }
}

// RFC 3720, B.4.
TEST(DigestTest, Crc32cAgreesWithKnownVectors) {
  EXPECT_EQ(Crc32c(""), 0U);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  std::string ascending;
  for (char c = 0; c < 32; ++c) ascending.push_back(c);
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eU);
}

TEST(DigestTest, Crc32cOfEveryLengthIsTheRemainderByTheDefinition) {
  std::string bytes;
  for (int length = 0; length < 40; ++length) {
    std::uint32_t remainder = 0xffffffffU;
    for (const char c : bytes) {
      remainder ^= static_cast<std::uint8_t>(c);
      for (int bit = 0; bit < 8; ++bit)
        remainder = (remainder >> 1) ^ ((remainder & 1U) != 0 ? 0x82f63b78U : 0U);
    }
    EXPECT_EQ(Crc32c(bytes), ~remainder) << length;
    bytes.push_back(static_cast<char>(37 * length + 11));
  }
}

TEST(DigestTest, HexAndRawComeBack) {
  const Digest digest = Sha256("abc");
  EXPECT_THAT(Digest::FromHex(digest.Hex()), IsOkAndHolds(digest));
  EXPECT_THAT(Digest::FromRaw(digest.Raw()), IsOkAndHolds(digest));
  EXPECT_FALSE(digest.IsZero());
  EXPECT_TRUE(Digest().IsZero());
}

TEST(DigestTest, HexOfTheWrongLengthCaseOrCharactersIsRefused) {
  const std::string hex = Sha256("abc").Hex();
  EXPECT_THAT(Digest::FromHex(hex.substr(1)), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Digest::FromHex(hex + "0"), StatusIs(StatusCode::kInvalidArgument));
  for (const char wrong : {'A', 'g', ' ', '\0'}) {
    std::string changed = hex;
    changed[10] = wrong;
    EXPECT_THAT(Digest::FromHex(changed), StatusIs(StatusCode::kInvalidArgument)) << wrong;
  }
  EXPECT_THAT(Digest::FromRaw("short"), StatusIs(StatusCode::kDataLoss));
}

TEST(ContentIdTest, ShowsTwelveDigitsInShortAndComparesByDigest) {
  const CommitId id(Sha256("abc"));
  EXPECT_EQ(id.Short(), "ba7816bf8f01");
  EXPECT_THAT(CommitId::FromHex(id.Hex()), IsOkAndHolds(id));
  EXPECT_LT(id, CommitId(Sha256("")));
  EXPECT_EQ(std::hash<CommitId>()(id), std::hash<Digest>()(id.digest()));
}

}  // namespace
}  // namespace emend::digest_test
