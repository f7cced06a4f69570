#include "api/program/token_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::api::program::token_file_test {
namespace {

TEST(TokenFile, ItsLineEndIsNoPartOfTheToken) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path() + "/token";
  std::ofstream(path) << "secret\r\n";
  EXPECT_EQ(*ReadToken(path), "secret");
  EXPECT_THAT(ReadToken(folder.path() + "/none"), test::StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace emend::api::program::token_file_test
