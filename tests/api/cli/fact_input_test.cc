#include "api/cli/fact_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/status_matchers.h"

namespace emend::api::cli::fact_input_test {
namespace {

using test::StatusIs;
using testing::HasSubstr;

class FactInputTest : public testing::Test {
 protected:
  ~FactInputTest() override { std::filesystem::remove(path_); }
  Result<FactInput> Load(const std::string& text, FactSelection selection = {}) {
    std::ofstream(path_) << text;
    selection.file = path_;
    return FactInput::Load(selection);
  }

  const std::string path_ = (std::filesystem::temp_directory_path() /
                             ("emend-fact-input-" + std::to_string(getpid()) + ".csv"))
                                .string();
};

constexpr char kRows[] =
    "prompt,subject,target\n"
    "{} is,A,B\n"
    "{} is,,B\n"
    "{} is,C,D\n"
    "{} is,E,F\n";

TEST_F(FactInputTest, ABadRowRefusesTheFileAndSaysHowToTakeTheOthers) {
  const Status refused = Load(kRows).status();
  EXPECT_THAT(refused, StatusIs(StatusCode::kInvalidArgument, "bad_facts"));
  EXPECT_THAT(refused.message(), HasSubstr("row 2, subject: is empty"));
  EXPECT_THAT(refused.message(), HasSubstr("--skip-bad-rows takes the other rows"));
}

TEST_F(FactInputTest, SkippedRowsAreCountedAndListed) {
  ASSERT_OK_AND_ASSIGN(const FactInput input, Load(kRows, {.file = "", .skip_bad_rows = true}));
  EXPECT_EQ(input.facts().size(), 3U);
  const Json result = input.WithRows({{"facts", {{{"row", 1}}, {{"row", 3}}, {{"row", 9}}}}});
  EXPECT_EQ(result["facts"][0]["row"], 1);
  EXPECT_EQ(result["facts"][1]["row"], 4) << "as the file counts them";
  EXPECT_EQ(result["facts"][2]["row"], 9);
  EXPECT_EQ(result["rows_skipped"]["rows"], 1);
  EXPECT_EQ(result["rows_skipped"]["problems"][0]["row"], 2);
  EXPECT_EQ(result["rows_skipped"]["problems"][0]["field"], "subject");
  EXPECT_EQ(input.Text(), "1 bad row skipped:\n  row 2, subject: is empty\n");
  EXPECT_THAT(Load("prompt,subject,target\n{} is,,B\n", {.file = "", .skip_bad_rows = true}),
              StatusIs(StatusCode::kInvalidArgument, "bad_facts"));
}

TEST_F(FactInputTest, WhatTheServerSaysOfAFactNamesTheRowOfTheFile) {
  ASSERT_OK_AND_ASSIGN(const FactInput input,
                       Load(kRows, {.file = "", .offset = 1, .skip_bad_rows = true}));
  const auto in_rows = [&](const std::string& message) {
    return input.InRows({StatusCode::kConflict, "slot_conflict", message}).message();
  };
  EXPECT_EQ(in_rows("at /facts/0 and /facts/1: both are"), "row 3 and row 4: both are");
  EXPECT_EQ(in_rows("at /facts/1/prompt: has"), "row 4, prompt: has");
  EXPECT_EQ(in_rows("solving: at /facts/1 (\"E\"): its"), "solving: row 4 (\"E\"): its");
  EXPECT_EQ(in_rows("at /facts/2: is"), "at /facts/2: is");
  EXPECT_EQ(in_rows("at /facts/x: is"), "at /facts/x: is");
  EXPECT_EQ(input.InRows({StatusCode::kConflict, "slot_conflict", "m"}).slug(), "slot_conflict");
}

TEST_F(FactInputTest, ProbesThatAreNotInTheRequestAreSaid) {
  ASSERT_OK_AND_ASSIGN(const FactInput input, Load(R"([
      {"subject": "A", "src": "who is A", "alt": "B", "answers": ["C"],
       "loc": "when is A", "loc_ans": "D"},
      {"subject": "E", "src": "who is E", "alt": "B", "loc": "who"}])"));
  Json result = input.WithRows(Json::object());
  EXPECT_EQ(result["left_out"],
            Json({{{"reason", "locality probes about the subject itself"}, {"count", 1}},
                  {{"reason", "locality probes without an answer of their own"}, {"count", 1}}}));
  EXPECT_THAT(input.Text(),
              HasSubstr("1 locality probes without an answer of their own: left out\n"));
  ASSERT_OK_AND_ASSIGN(
      const FactInput kept,
      Load(R"({"prompt": "{} is", "subject": "A", "target": "B", "neighbours": ["C is"]})"));
  result = kept.WithRows(Json::object());
  EXPECT_EQ(result["neighbours_without_old_target"], 1);
  EXPECT_EQ(kept.facts()[0]["neighbours"][0], "C is");
  EXPECT_THAT(kept.Text(),
              HasSubstr("1 neighbour without a target, of facts without an old_target"));
  const Json said = {{"neighbours", {{{"row", 1}, {"prompt", "C is"}}}}};
  ASSERT_OK_AND_ASSIGN(const FactInput later, Load(kRows, {.file = "", .offset = 2}));
  EXPECT_EQ(
      later.WithRows({{"neighbour_targets", said}})["neighbour_targets"]["neighbours"][0]["row"],
      3);
}

}  // namespace
}  // namespace emend::api::cli::fact_input_test
