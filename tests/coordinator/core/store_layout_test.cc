#include "coordinator/core/store_layout.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::coordinator::core::store_layout_test {
namespace {

using test::IsOk;
using test::StatusIs;

TEST(StoreLayoutTest, AloneAStoreHoldsEverything) {
  const StoreLayout layout{"/s", {"/"}};
  EXPECT_EQ(layout.models(), "/s/models");
  EXPECT_EQ(layout.statistics_file("x"), "/s/statistics/x.safetensors");
  EXPECT_EQ(layout.worker_token_file(), "/s/worker-token");
}

TEST(StoreLayoutTest, WhatWorkersSeeLiesInTheSharedFolderAndNothingElse) {
  const StoreLayout layout{"/s", {"/"}, "/shared", "/secrets/token"};
  EXPECT_EQ(layout.models(), "/shared/models");
  EXPECT_EQ(layout.statistics_file("x"), "/shared/statistics/x.safetensors");
  EXPECT_EQ(layout.worker_token_file(), "/secrets/token");
  EXPECT_EQ(layout.anchor(), "/s/anchor");
  EXPECT_EQ(layout.admin_token_file(), "/s/token");
}

TEST(StoreLayoutTest, NeitherStoreNorSharedFolderMayBeNamed) {
  const test::TemporaryFolder folder;
  const StoreLayout layout{
      folder.path() + "/store", {folder.path()}, folder.path() + "/shared", ""};
  EXPECT_THAT(layout.Admit(folder.path() + "/store/db").status(),
              StatusIs(StatusCode::kPermissionDenied, "inside_store"));
  EXPECT_THAT(layout.Admit(folder.path() + "/shared/models/x").status(),
              StatusIs(StatusCode::kPermissionDenied, "inside_store"));
  EXPECT_THAT(layout.Admit(folder.path() + "/exports/x").status(), IsOk());
  EXPECT_THAT(layout.Admit("/elsewhere").status(),
              StatusIs(StatusCode::kPermissionDenied, "outside_model_roots"));
}

}  // namespace
}  // namespace emend::coordinator::core::store_layout_test
