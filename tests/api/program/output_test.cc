#include "api/program/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::api::program::output_test {
namespace {

using test::IsOk;
using test::StatusIs;

TEST(OutputStream, WritesAllThatItWasGivenInItsOrder) {
  const test::TemporaryFolder folder;
  const std::string path = folder.path() + "/out";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT, 0600);
  std::string expected;
  {
    OutputStream out(file);
    for (int i = 0; i < 10'000; ++i) {
      out << i << '\n';
      expected += std::to_string(i) + "\n";
    }
    EXPECT_THAT(out.Finish("the file"), IsOk());
  }
  close(file);
  std::stringstream written;
  written << std::ifstream(path).rdbuf();
  EXPECT_EQ(written.str(), expected);
}

TEST(OutputStream, AFullDiskIsAFailureWheneverItIsMet) {
  const int full = open("/dev/full", O_WRONLY);
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{100'000}}) {
    OutputStream out(full);
    out << std::string(bytes, 'x');
    const Status finished = out.Finish("standard output");
    EXPECT_THAT(finished, StatusIs(StatusCode::kInternal, "output_not_written"));
    EXPECT_EQ(finished.message(), "writing standard output: No space left on device");
  }
  close(full);
}

}  // namespace
}  // namespace emend::api::program::output_test
