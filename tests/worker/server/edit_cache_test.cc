#include "worker/server/edit_cache.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/worker/server/atlas_requests.h"

namespace emend::worker::server::edit_cache_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using storage::delta::EditDelta;

std::string Payload(std::int16_t value) {
  EditDelta delta;
  delta.tensors.push_back({.tensor = "t",
                           .rows = 2,
                           .cols = 2,
                           .columns = {{.shift = 1, .a = {value, 1}, .b = {1, value}}}});
  return storage::delta::EncodePayload(delta);
}

TEST(EditCacheTest, HoldsWhatItWasGivenDecoded) {
  EditCache cache(1 << 20);
  ASSERT_THAT(cache.Put(NumberedEdit(1), Payload(7)), IsOk());
  const auto found = cache.Find(NumberedEdit(1));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->tensors[0].columns[0].a[0], 7);
  EXPECT_EQ(cache.Find(NumberedEdit(2)), nullptr);
}

TEST(EditCacheTest, PuttingAnEditAgainChangesNothing) {
  EditCache cache(1 << 20);
  ASSERT_THAT(cache.Put(NumberedEdit(1), Payload(7)), IsOk());
  const std::size_t bytes = cache.bytes();
  ASSERT_THAT(cache.Put(NumberedEdit(1), Payload(8)), IsOk());
  EXPECT_EQ(cache.bytes(), bytes);
  EXPECT_EQ(cache.Find(NumberedEdit(1))->tensors[0].columns[0].a[0], 7);
}

TEST(EditCacheTest, TheOneUsedLongestAgoLeavesFirst) {
  EditCache cache(2 * Payload(1).size());
  ASSERT_THAT(cache.Put(NumberedEdit(1), Payload(1)), IsOk());
  ASSERT_THAT(cache.Put(NumberedEdit(2), Payload(2)), IsOk());
  const auto held = cache.Find(NumberedEdit(2));
  ASSERT_NE(cache.Find(NumberedEdit(1)), nullptr);
  ASSERT_THAT(cache.Put(NumberedEdit(3), Payload(3)), IsOk());
  EXPECT_EQ(cache.Find(NumberedEdit(2)), nullptr);
  EXPECT_NE(cache.Find(NumberedEdit(1)), nullptr);
  EXPECT_EQ(held->tensors[0].columns[0].a[0], 2) << "what is held stays valid";
}

TEST(EditCacheTest, WhatIsWantedStaysHoweverMuchItIs) {
  EditCache cache(2 * Payload(1).size());
  const std::vector<EditId> wanted = {NumberedEdit(1), NumberedEdit(2), NumberedEdit(3)};
  cache.Want(wanted);
  for (std::uint8_t i = 1; i <= 4; ++i) ASSERT_THAT(cache.Put(NumberedEdit(i), Payload(i)), IsOk());
  for (const EditId& id : wanted) EXPECT_NE(cache.Find(id), nullptr);
  EXPECT_EQ(cache.Find(NumberedEdit(4)), nullptr);
  cache.Want({});
  EXPECT_EQ(cache.bytes(), 2 * Payload(1).size());
  EXPECT_EQ(cache.Find(NumberedEdit(1)), nullptr) << "used longest ago";
}

TEST(EditCacheTest, DamagedBytesAreRefusedAndLeaveNothing) {
  EditCache cache(1 << 20);
  std::string payload = Payload(1);
  payload.back() ^= 1;
  EXPECT_THAT(cache.Put(NumberedEdit(1), payload), StatusIs(StatusCode::kDataLoss));
  EXPECT_EQ(cache.Find(NumberedEdit(1)), nullptr);
  EXPECT_EQ(cache.bytes(), 0U);
}

}  // namespace
}  // namespace emend::worker::server::edit_cache_test
