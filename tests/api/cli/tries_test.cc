// What people read and see of tuning.
#include "api/cli/tries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"

namespace emend::api::cli::tries_test {
namespace {

using test::IsOk;
using test::StatusIs;
using testing::HasSubstr;
using testing::Not;

Json Made(const std::string& layers, const Json& ps, int taken, const Json& kept) {
  return {{"settings", {{"layers", layers}, {"v_weight_decay", "0.5"}}},
          {"es", 95.0},
          {"ps", ps},
          {"taken", taken},
          {"kept", kept},
          {"perplexity_before", 30.0},
          {"perplexity_after", 31.25},
          {"mean", 85.5},
          {"seconds", 12.5}};
}

Json Tuned(std::vector<Json> tries, int chosen) {
  return {{"n", 20}, {"tries", std::move(tries)}, {"chosen", chosen}};
}

TEST(Tries, AreATableWithTheChosenOneMarked) {
  EXPECT_EQ(RenderTries(Tuned({Made("4,5,6", 60, 18, 70), Made("8", nullptr, 20, nullptr)}, 2)),
            "   TRY  layers  v_weight_decay  ES    PS    TAKEN  KEPT  PERPLEXITY    MEAN  TOOK\n"
            "   1    4-6     0.5             95.0  60.0  18/20  70.0  30.0 -> 31.2  85.5  12 s\n"
            "*  2    8       0.5             95.0  -     20/20  -     30.0 -> 31.2  85.5  12 s\n");
}

TEST(Tries, APlotHasAPointForEachAndRingsTheChosenOne) {
  const auto svg = RenderTriesPlot(
      Tuned({Made("4,5,6", 62, 18, 71), Made("6,7,8", 78, 19, 75), Made("8", 62, 20, 71)}, 2));
  ASSERT_THAT(svg, IsOk());
  EXPECT_THAT(*svg, testing::StartsWith("<svg "));
  EXPECT_THAT(*svg, testing::EndsWith("</svg>\n"));
  // The axes hold 70 to 80 and 60 to 80, of 400 units each.
  EXPECT_THAT(*svg, HasSubstr("<circle cx=\"110.0\" cy=\"410.0\" r=\"4\""));
  EXPECT_THAT(*svg, HasSubstr("<circle cx=\"270.0\" cy=\"90.0\" r=\"8\" fill=\"none\""));
  EXPECT_THAT(*svg, HasSubstr(">1, 3</text>")) << "which lie on each other";
  EXPECT_THAT(*svg, HasSubstr(">1: layers=4-6 v_weight_decay=0.5 (default)</text>"));
  EXPECT_THAT(*svg, HasSubstr(">2: layers=6-8 v_weight_decay=0.5 (chosen)</text>"));
  EXPECT_THAT(*svg, HasSubstr(">PS, %</text>"));
  EXPECT_THAT(*svg, HasSubstr(">answers to neighbours kept, %</text>"));
}

TEST(Tries, WithoutParaphrasesFactsTakenAreDrawnAndWithoutNeighboursNothing) {
  const auto svg = RenderTriesPlot(Tuned({Made("4", nullptr, 18, 71)}, 1));
  ASSERT_THAT(svg, IsOk());
  EXPECT_THAT(*svg, HasSubstr(">facts taken, %</text>"));
  EXPECT_THAT(*svg, HasSubstr("cx=\"110.0\" cy=\"250.0\"")) << "90 of 80 to 100";
  EXPECT_THAT(RenderTriesPlot(Tuned({Made("4", 60, 18, nullptr)}, 1)),
              StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace emend::api::cli::tries_test
