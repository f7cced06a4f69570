#include "worker/eval/step_plan.h"

#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::test::step_plan_test {
namespace {

using namespace worker::eval;

StateId State(const std::string& name) { return StateId(Sha256(name)); }

StepPlan SamplePlan() {
  return {.closed = {State("a")},
          .opened = {State("b"), State("c")},
          .caches = {{.state = State("b"), .size = {.slots = 4, .capacity = 128}}},
          .passes = {{.state = State("b"),
                      .runs = {{.place = {.slot = 0, .begin = 7, .tokens = 1}, .logits = 1},
                               {.place = {.slot = 3, .begin = 0, .tokens = 2}, .logits = 0}},
                      .tokens = {5, 0, 123456}},
                     {.state = State("c"),
                      .runs = {{.place = {.slot = 1, .begin = 0, .tokens = 1}, .logits = 1}},
                      .tokens = {9}}}};
}

TEST(StepPlanTest, APlanComesBackAsItWasSent) {
  ASSERT_OK_AND_ASSIGN(const StepPlan plan, DecodePlan(EncodePlan(SamplePlan())));
  EXPECT_EQ(plan, SamplePlan());
  ASSERT_OK_AND_ASSIGN(const StepPlan empty, DecodePlan(EncodePlan({})));
  EXPECT_EQ(empty, StepPlan());
}

TEST(StepPlanTest, RefusesWhatIsCutLongerOrOfAnotherVersion) {
  const std::string bytes = EncodePlan(SamplePlan());
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THAT(DecodePlan(bytes.substr(0, size)), StatusIs(StatusCode::kDataLoss)) << size;
  EXPECT_THAT(DecodePlan(bytes + "x"), StatusIs(StatusCode::kDataLoss));
  std::string other = bytes;
  other[0] = 2;
  EXPECT_THAT(DecodePlan(other), StatusIs(StatusCode::kDataLoss));
}

}  // namespace
}  // namespace emend::test::step_plan_test
