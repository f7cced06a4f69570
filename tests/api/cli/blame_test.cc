// What people see of whom an answer is blamed on.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/cli/text.h"
#include "tests/api/cli/shell.h"
#include "tests/support/fake_server.h"

namespace emend::api::cli::blame_test {
namespace {

using nlohmann::json;

TEST(Blame, ShowsWhoMadeAnAnswerAndHowMuchItHangsOnThem) {
  const test::FakeServer server;
  Shell shell;
  shell.Set("EMEND_SERVER", server.url());
  shell.Set("EMEND_TOKEN", "admin-secret");
  const Outcome blamed = shell.Run({"blame", "atlas", "Ann plays as"});
  EXPECT_EQ(blamed.code, 0) << blamed.err;
  const json document = json::parse(shell.Run({"blame", "atlas", "Ann plays as", "--json"}).out);
  EXPECT_EQ(document["origin"], "edits");
  const std::string commit = document["commit"];
  EXPECT_EQ(blamed.out,
            "Ann plays as goalkeeper\n\n"
            "aaaaaaaaaaaa  Ann plays as -> goalkeeper\n"
            "  the answer's probability: 90 % with it, 0.0912 % without\n"
            "  by ada, 2026-01-31T12:00:00.000Z, in commit " +
                ShortId(commit) + "  Three facts\n")
      << "the other edit does not matter";
  EXPECT_NE(blamed.err.find("show atlas@" + ShortId(commit)), std::string::npos) << blamed.err;
  EXPECT_EQ(shell.Run({"blame", "atlas", "nobody plays as"}).out,
            "nobody plays as goalkeeper\n\n"
            "No edit wrote this: it is the base model's own answer (90 %, and 81.9 % without any "
            "edit).\n");
  EXPECT_EQ(shell.Run({"blame", "atlas", "\xff"}).code, 2);
}

}  // namespace
}  // namespace emend::api::cli::blame_test
