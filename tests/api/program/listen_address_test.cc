#include "api/program/listen_address.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::api::program::listen_address_test {
namespace {

using test::IsOk;
using test::StatusIs;

TEST(ListenAddress, LoopbackIsTaken) {
  for (const char* address : {"127.0.0.1:0", "127.0.0.1:8321", "127.9.9.9:65535", "[::1]:0"})
    EXPECT_THAT(CheckListenAddress({}, address), IsOk()) << address;
}

TEST(ListenAddress, AnythingElseNeedsTls) {
  for (const char* address : {"0.0.0.0:8321", "[::]:8321", "10.0.0.1:1", "128.0.0.1:1",
                              "126.255.255.255:1", "[::ffff:127.0.0.1]:1", "[fe80::1]:1"}) {
    EXPECT_THAT(CheckListenAddress({}, address), StatusIs(StatusCode::kUnsupported, "needs_tls"))
        << address;
  }
}

TEST(ListenAddress, WhatIsNoAddressIsSaidSo) {
  for (const char* address :
       {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536",
        "localhost:1", "::1", "[::1]", "127.1:1", "127.0.0.1:1 "}) {
    EXPECT_THAT(CheckListenAddress({}, address), StatusIs(StatusCode::kInvalidArgument)) << address;
  }
}

TEST(ListenAddressTest, AnyAddressIsAllowedUnderTls) {
  EXPECT_THAT(CheckListenAddress({.transit = Transit::kTls}, "0.0.0.0:7411"), IsOk());
  EXPECT_THAT(CheckListenAddress({.transit = Transit::kTls}, "everywhere:7411"),
              StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace emend::api::program::listen_address_test
