// What tuning tries, and what it chooses.
#include "coordinator/operations/tune_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace emend::coordinator::operations::tune_search_test {
namespace {

using testing::ElementsAre;
using testing::Pair;

SolveSettings Defaults(std::int64_t layer_count) {
  return worker::protocol::DefaultSettings("memit", layer_count).value();
}

// "4-8".
std::vector<std::string> Named(const std::vector<Window>& windows) {
  std::vector<std::string> names;
  for (const Window& window : windows)
    names.push_back(std::to_string(window.front().value()) + "-" +
                    std::to_string(window.back().value()));
  return names;
}

TryMeasures All(double percent) {
  return {.es = percent,
          .ps = percent,
          .ns = percent,
          .taken = static_cast<std::size_t>(percent),
          .facts = 100,
          .kept = percent,
          .kl = 0,
          .perplexity_before = 30,
          .perplexity_after = 30};
}

// A search whose tries measure what `measure` says.
template <typename Measure>
TuneSearch Searched(std::int64_t layer_count, Measure measure) {
  const SolveSettings defaults = Defaults(layer_count);
  TuneSearch search(defaults, WindowsOf(layer_count, defaults.layers));
  while (const auto settings = search.Next()) search.Add({*settings, measure(*settings), 1});
  return search;
}

TEST(TuneSearchTest, WindowsAreTheDefaultMovedAndResizedWithinTwoThirds) {
  EXPECT_THAT(Named(WindowsOf(30, Defaults(30).layers)),
              ElementsAre("4-8", "6-10", "9-13", "14-18", "7-8", "8-8", "0-8"));
  EXPECT_THAT(Named(WindowsOf(12, Defaults(12).layers)),
              ElementsAre("0-3", "2-5", "4-7", "2-3", "3-3"));
  EXPECT_THAT(Named(WindowsOf(6, Defaults(6).layers)), ElementsAre("0-2", "1-3", "2-2"));
  EXPECT_THAT(Named(WindowsOf(1, Defaults(1).layers)), ElementsAre("0-0"));
}

TEST(TuneSearchTest, OneSettingIsTriedAfterTheOtherAndNoTryTwice) {
  const TuneSearch search = Searched(30, [](const SolveSettings&) { return All(80); });
  ASSERT_EQ(search.tries().size(), search.total());
  EXPECT_EQ(search.total(), 12U);
  std::set<std::vector<std::pair<std::string, std::string>>> distinct;
  for (const Try& made : search.tries()) distinct.insert(TunedSettings(made.settings));
  EXPECT_EQ(distinct.size(), 12U);
  EXPECT_THAT(TunedSettings(search.tries()[0].settings),
              ElementsAre(Pair("layers", "4,5,6,7,8"), Pair("v_weight_decay", "0.5"),
                          Pair("clamp_norm_factor", "0.75")));
  EXPECT_THAT(TunedSettings(search.tries()[7].settings),
              ElementsAre(Pair("layers", "4,5,6,7,8"), Pair("v_weight_decay", "0.5"),
                          Pair("clamp_norm_factor", "0.375")));
  EXPECT_THAT(TunedSettings(search.tries()[11].settings),
              ElementsAre(Pair("layers", "4,5,6,7,8"), Pair("v_weight_decay", "2"),
                          Pair("clamp_norm_factor", "0.75")));
  EXPECT_EQ(search.Best(), 0U) << "the defaults, where nothing is better";
}

TEST(TuneSearchTest, EachSettingIsTriedWithTheBestOfThoseBefore) {
  const TuneSearch search = Searched(30, [](const SolveSettings& settings) {
    return All(50 + (settings.layers.front().value() == 9 ? 20 : 0) +
               (settings.clamp_norm_factor > 1.2 ? 10 : 0) +
               (settings.v_weight_decay < 0.2 ? 5 : 0));
  });
  EXPECT_THAT(TunedSettings(search.tries()[search.Best()].settings),
              ElementsAre(Pair("layers", "9,10,11,12,13"), Pair("v_weight_decay", "0.125"),
                          Pair("clamp_norm_factor", "1.5")));
  EXPECT_EQ(search.Best(), 10U);
}

TEST(TuneSearchTest, WhatIsWithinHalfAPointOfTheBestIsAsGoodAndTheNearestToTheDefaultsWins) {
  const auto best_at = [](double mean) {
    const TuneSearch search = Searched(30, [mean](const SolveSettings& settings) {
      return All(settings.clamp_norm_factor == 0.75 ? 80 : mean);
    });
    return search.Best();
  };
  EXPECT_EQ(best_at(80.4), 0U);
  EXPECT_EQ(best_at(82), 7U) << "the earliest of those that are alike";
}

TEST(TuneSearchTest, WhatDriftsByMoreThanFivePercentIsPassedOverUnlessAllDo) {
  const auto chosen = [](double of_defaults, double of_others) {
    const TuneSearch search = Searched(6, [&](const SolveSettings& settings) {
      const bool is_default = settings.layers == Defaults(6).layers &&
                              settings.clamp_norm_factor == 1 && settings.v_weight_decay == 0.05;
      TryMeasures measures = All(is_default ? 60 : 90);
      measures.perplexity_after = is_default ? of_defaults : of_others;
      return measures;
    });
    return search.Best();
  };
  EXPECT_EQ(chosen(30, 31.4), 1U);
  EXPECT_EQ(chosen(30, 31.6), 0U);
  EXPECT_EQ(chosen(32, 40), 1U) << "all drift";
}

TEST(TuneSearchTest, TheMeanIsHarmonicAndOfWhatWasMeasured) {
  TryMeasures measures = All(50);
  measures.es = 100;
  measures.kept = 100;
  EXPECT_NEAR(measures.Mean(), 4 / (2 / 100.0 + 2 / 50.0), 1e-9);
  measures.ps = measures.kept = std::nan("");
  EXPECT_NEAR(measures.Mean(), 2 / (1 / 100.0 + 1 / 50.0), 1e-9);
  measures.taken = 0;
  EXPECT_EQ(measures.Mean(), 0);
}

}  // namespace
}  // namespace emend::coordinator::operations::tune_search_test
