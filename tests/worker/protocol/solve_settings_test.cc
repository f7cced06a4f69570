#include "worker/protocol/solve_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::worker::protocol::solve_settings_test {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::int32_t> Numbers(const std::vector<LayerIndex>& layers) {
  std::vector<std::int32_t> numbers;
  for (const LayerIndex layer : layers) numbers.push_back(layer.value());
  return numbers;
}

TEST(SolveSettingsTest, EverySettingIsSetByItsName) {
  SolveSettings settings;
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"layers", "4,5,17"},
                                                        {"v_lr", "0.1"},
                                                        {"v_num_grad_steps", "20"},
                                                        {"v_weight_decay", "1e-3"},
                                                        {"clamp_norm_factor", "4"},
                                                        {"kl_factor", "0"},
                                                        {"mom2_update_weight", "20000"},
                                                        {"ridge", "0"},
                                                        {"nullspace_threshold", "0.3"},
                                                        {"v_keep_norm", "1"},
                                                        {"own_targets", "1"},
                                                        {"loss_stop", "0.01"}}) {
    EXPECT_THAT(ApplySetting(settings, key, value), IsOk()) << key;
  }
  EXPECT_THAT(Numbers(settings.layers), ElementsAre(4, 5, 17));
  EXPECT_EQ(settings.v_lr, 0.1);
  EXPECT_EQ(settings.v_num_grad_steps, 20);
  EXPECT_EQ(settings.v_weight_decay, 1e-3);
  EXPECT_EQ(settings.clamp_norm_factor, 4);
  EXPECT_EQ(settings.kl_factor, 0);
  EXPECT_EQ(settings.mom2_update_weight, 20000);
  EXPECT_EQ(settings.ridge, 0);
  EXPECT_EQ(settings.nullspace_threshold, 0.3);
  EXPECT_EQ(settings.v_keep_norm, 1);
  EXPECT_EQ(settings.own_targets, 1);
  EXPECT_EQ(settings.loss_stop, 0.01);
}

TEST(SolveSettingsTest, AnUnknownNameIsRefusedWithTheKnownOnes) {
  SolveSettings settings;
  const Status status = ApplySetting(settings, "learning_rate", "1");
  EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument, "unknown_setting"));
  EXPECT_THAT(status.message(), ::testing::AllOf(HasSubstr("learning_rate"), HasSubstr("v_lr"),
                                                 HasSubstr("mom2_update_weight")));
}

TEST(SolveSettingsTest, ZeroHasAWordWhereItIsNoNumber) {
  ASSERT_OK_AND_ASSIGN(SolveSettings settings, DefaultSettings("memit", 6));
  const auto weight = std::ranges::find(Settings(), "mom2_update_weight", &Setting::name);
  const auto seed = std::ranges::find(Settings(), "seed", &Setting::name);
  EXPECT_EQ(TextOf(settings, *weight), "auto");
  EXPECT_EQ(TextOf(settings, *seed), "0");
  EXPECT_THAT(ApplySetting(settings, "mom2_update_weight", "300"), IsOk());
  EXPECT_EQ(TextOf(settings, *weight), "300");
  EXPECT_THAT(ApplySetting(settings, "mom2_update_weight", "auto"), IsOk());
  EXPECT_EQ(settings.mom2_update_weight, 0);
  EXPECT_THAT(ApplySetting(settings, "ridge", "auto"),
              StatusIs(StatusCode::kInvalidArgument, "bad_setting"));
}

TEST(SolveSettingsTest, AValueThatDoesNotParseOrIsOutOfRangeChangesNothing) {
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"v_lr", ""},
           {"v_lr", "fast"},
           {"v_lr", "0.5x"},
           {"v_lr", "0"},
           {"v_lr", "nan"},
           {"ridge", "inf"},
           {"ridge", "-1"},
           {"v_num_grad_steps", "0"},
           {"v_num_grad_steps", "2.5"},
           {"v_num_grad_steps", "999999999999999999999"},
           {"layers", ""},
           {"layers", "1,"},
           {"layers", "2,1"},
           {"layers", "1,1"},
           {"layers", "-1"},
           {"layers", "a"}}) {
    SolveSettings settings = *DefaultSettings("memit", 6);
    EXPECT_THAT(ApplySetting(settings, key, value),
                StatusIs(StatusCode::kInvalidArgument, "bad_setting"))
        << key << "=" << value;
    EXPECT_EQ(settings.v_lr, 0.5);
    EXPECT_EQ(settings.v_num_grad_steps, 25);
    EXPECT_THAT(Numbers(settings.layers), ElementsAre(0, 1, 2));
  }
}

TEST(SolveSettingsTest, TemplatesNeedABareFirstGroupAndOnePlaceEach) {
  SolveSettings settings;
  EXPECT_THAT(SetContextTemplates(settings, {{"{}"}, {"So. {}", "Thus. {}"}}), IsOk());
  EXPECT_EQ(settings.context_templates.size(), 2U);
  for (const std::vector<std::vector<std::string>>& bad :
       std::vector<std::vector<std::vector<std::string>>>{{},
                                                          {{"So. {}"}},
                                                          {{"{}", "So. {}"}},
                                                          {{"{}"}, {}},
                                                          {{"{}"}, {"none"}},
                                                          {{"{}"}, {"{} and {}"}}}) {
    EXPECT_THAT(SetContextTemplates(settings, bad),
                StatusIs(StatusCode::kInvalidArgument, "bad_setting"));
    EXPECT_EQ(settings.context_templates.size(), 2U);
  }
}

TEST(SolveSettingsTest, SampledTextsBecomeTemplatesWhateverIsInThem) {
  EXPECT_EQ(TemplatesFrom({"The {north}\nwas", "I"}),
            (std::vector<std::vector<std::string>>{{"{}"}, {"The north was. {}", "I. {}"}}));
  SolveSettings settings;
  EXPECT_EQ(TemplatesFrom({"I"}, {"user: {}"}),
            (std::vector<std::vector<std::string>>{{"{}"}, {"I. {}"}, {"user: {}"}}));
  EXPECT_THAT(SetContextTemplates(settings, TemplatesFrom({"{}{}", "", "\n"})), IsOk());
  EXPECT_THAT(SetContextTemplates(settings, TemplatesFrom({})), IsOk());
  EXPECT_EQ(settings.context_templates, DefaultSettings("memit", 6)->context_templates)
      << "without texts the bare template is left";
}

TEST(SolveSettingsTest, TheSeedIsAWholeNumber) {
  SolveSettings settings;
  EXPECT_THAT(ApplySetting(settings, "seed", "18446744073709551615"), IsOk());
  EXPECT_EQ(settings.seed, 18446744073709551615U);
  for (const char* bad : {"-1", "1.5", "", "18446744073709551616"}) {
    EXPECT_THAT(ApplySetting(settings, "seed", bad),
                StatusIs(StatusCode::kInvalidArgument, "bad_setting"))
        << bad;
  }
}

TEST(SolveSettingsTest, WhatASettingIsSetToIsWhatItsTextSays) {
  SolveSettings settings = *DefaultSettings("memit", 28);
  SolveSettings copy = *DefaultSettings("memit", 6);
  for (const Setting& setting : Settings())
    EXPECT_THAT(ApplySetting(copy, setting.name, TextOf(settings, setting)), IsOk())
        << setting.name;
  EXPECT_EQ(copy, settings);
}

TEST(SolveSettingsTest, ARequestIsTheMethodsDefaultsWithItsOwnValues) {
  const SettingsRequest request{.values = {{"v_lr", "0.25"}, {"layers", "1,2"}, {"v_lr", "0.1"}},
                                .context_templates = {{"{}"}, {"So. {}"}}};
  const Result<SolveSettings> settings = ResolveSettings(request, 6);
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->method, "memit");
  EXPECT_EQ(settings->v_lr, 0.1) << "the last one counts";
  EXPECT_EQ(settings->clamp_norm_factor, 1) << "of a shallow model";
  EXPECT_THAT(Numbers(settings->layers), ElementsAre(1, 2));
  EXPECT_EQ(settings->context_templates.size(), 2U);
  EXPECT_THAT(ResolveSettings({"memit", {{"layers", "7"}}, {}}, 6),
              StatusIs(StatusCode::kInvalidArgument, "bad_setting"));
  EXPECT_THAT(ResolveSettings({"magic", {}, {}}, 6),
              StatusIs(StatusCode::kUnsupported, "unknown_method"));
}

TEST(SolveSettingsTest, DefaultsFitTheirModel) {
  EXPECT_THAT(Numbers(DefaultLayers(6)), ElementsAre(0, 1, 2));
  EXPECT_THAT(Numbers(DefaultLayers(28)), ElementsAre(4, 5, 6, 7, 8));
  EXPECT_THAT(Numbers(DefaultLayers(32)), ElementsAre(4, 5, 6, 7, 8));
  EXPECT_THAT(Numbers(DefaultLayers(48)), ElementsAre(13, 14, 15, 16, 17));
  for (const SolveMethod& method : SolveMethods()) {
    for (std::int64_t depth = 1; depth <= 120; ++depth)
      EXPECT_THAT(CheckSettings(*DefaultSettings(method.name, depth), depth), IsOk())
          << method.name << " " << depth;
  }
}

TEST(SolveSettingsTest, MethodsDifferInTheirDefaults) {
  const SolveSettings memit = *DefaultSettings("memit", 28);
  SolveSettings expected = memit;
  expected.layers = {LayerIndex(6)};
  expected.past_keys = 0;
  for (const auto& [method, weight] :
       std::vector<std::pair<std::string, double>>{{"emmet", 0.1}, {"rome", 1e-6}}) {
    expected.method = method;
    expected.mom2_update_weight = weight;
    EXPECT_EQ(*DefaultSettings(method, 28), expected);
  }
  expected = memit;
  expected.method = "alphaedit";
  EXPECT_EQ(*DefaultSettings("alphaedit", 28), expected);
  expected.method = "blue";
  expected.layers = {LayerIndex(4), LayerIndex(8)};
  expected.own_targets = 1;
  EXPECT_EQ(*DefaultSettings("blue", 28), expected);
  expected = memit;
  expected.method = "nas";
  expected.v_keep_norm = 1;
  EXPECT_EQ(*DefaultSettings("nas", 28), expected);
  EXPECT_TRUE(FindsTargets("nas"));
  const SolveSettings ultraedit = *DefaultSettings("ultraedit", 28);
  EXPECT_THAT(Numbers(ultraedit.layers), ElementsAre(18, 19, 20, 21, 22, 23, 24, 25, 26));
  EXPECT_EQ(ultraedit.mom2_update_weight, 1);
  EXPECT_EQ(ultraedit.v_lr, 3e-4);
  EXPECT_EQ(DefaultSettings("ultraedit", 6)->v_lr, 1e-3);
  EXPECT_FALSE(FindsTargets("ultraedit"));
}

TEST(SolveSettingsTest, ALayerOutsideTheModelIsRefused) {
  SolveSettings settings = *DefaultSettings("memit", 28);
  EXPECT_THAT(CheckSettings(settings, 28), IsOk());
  EXPECT_THAT(CheckSettings(settings, 8), StatusIs(StatusCode::kInvalidArgument, "bad_setting"));
}

}  // namespace
}  // namespace emend::worker::protocol::solve_settings_test
