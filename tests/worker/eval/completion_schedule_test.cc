// The schedule against what it promises, with rows whose tokens a test draws instead of a model.
#include "worker/eval/completion_schedule.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/support/status_matchers.h"
#include "tests/worker/tokenizer/tokenizer_fixture.h"

namespace emend::test::completion_schedule_test {
namespace {

using namespace worker::eval;
using worker::model::KeyValueCache;
using worker::tokenizer::TokenId;

constexpr std::int64_t kContext = 256, kTokenBytes = 10;

class CompletionScheduleTest : public testing::Test {
 protected:
  CompletionScheduleTest() {
    config_.vocabulary = 4;
    config_.context = kContext;
  }
  static ScheduleLimits Limits(std::int64_t rows_max, std::int64_t cache_tokens,
                               std::int64_t prefill_tokens_max = 64) {
    return {.rows_max = rows_max,
            .cache_bytes_max = cache_tokens * kTokenBytes,
            .prefill_tokens_max = prefill_tokens_max,
            .token_bytes = kTokenBytes,
            .context = kContext};
  }
  static StateId State(int number) { return StateId(Sha256(std::to_string(number))); }

  void Add(CompletionSchedule& schedule, int state, std::int64_t prompt, std::int64_t tokens_max) {
    CompletionRequest request;
    request.state = State(state);
    request.prompt.assign(static_cast<std::size_t>(prompt), 1);
    request.tokens_max = tokens_max;
    request.sampling.temperature = 0;
    const auto number = ends_.size();
    ends_.emplace_back();
    CompletionListener listener{.on_piece = [](const CompletionPiece&) {},
                                .on_end =
                                    [this, number](const Result<CompletionEnd>& end) {
                                      EXPECT_FALSE(ends_[number]);
                                      ends_[number] = end.status();
                                      order_.push_back(number);
                                    },
                                .cancelled = nullptr};
    schedule.Add(std::make_unique<CompletionRow>(std::move(request), std::move(listener), config_,
                                                 *tokenizer_));
  }
  // Does what a plan says, and checks that it can be done.
  void CarryOut(CompletionSchedule& schedule, const StepPlan& plan) {
    for (const StateId& state : plan.closed) EXPECT_EQ(open_.erase(state), 1U);
    for (const StateId& state : plan.opened) EXPECT_TRUE(open_.insert({state, {}}).second);
    for (const auto& [state, size] : plan.caches) {
      open_.at(state) = size;
      schedule.CacheChanged(state);
    }
    const std::vector<float> logits = {0, 1, 0, 0};
    for (const StatePass& pass : plan.passes) {
      std::int64_t slot_end = 0, tokens = 0;
      for (const auto& [place, wanted] : pass.runs) {
        EXPECT_GE(place.slot, slot_end);
        EXPECT_LT(place.slot, open_.at(pass.state).slots);
        EXPECT_LE(place.begin + place.tokens, open_.at(pass.state).capacity);
        slot_end = place.slot + 1;
        tokens += place.tokens;
        CompletionRow& row = schedule.RowAt(pass.state, place.slot);
        EXPECT_EQ(row.state(), pass.state);
        EXPECT_EQ(row.done(), place.begin);
        row.Ran(place.tokens);
        EXPECT_EQ(wanted, row.Left().empty() ? 1 : 0);
        if (wanted == 1) row.Take(logits);
      }
      EXPECT_EQ(static_cast<std::int64_t>(pass.tokens.size()), tokens);
    }
    schedule.Sweep();
  }
  static std::int64_t PassTokens(const StepPlan& plan) {
    std::int64_t tokens = 0;
    for (const StatePass& pass : plan.passes)
      tokens += static_cast<std::int64_t>(pass.tokens.size());
    return tokens;
  }
  std::int64_t CacheTokens() const {
    std::int64_t tokens = 0;
    for (const auto& [state, size] : open_) tokens += size.slots * size.capacity;
    return tokens;
  }

  worker::families::ModelConfig config_;
  const std::unique_ptr<worker::tokenizer::Tokenizer> tokenizer_ =
      worker::tokenizer::OpenTokenizer("llama2");
  std::map<StateId, KeyValueCache::Size> open_;
  std::vector<std::optional<Status>> ends_;  // by order of arrival
  std::vector<std::size_t> order_;           // in which they ended
};

TEST_F(CompletionScheduleTest, RowsTakeTheLowestFreeSlotAndCachesAreDoubled) {
  CompletionSchedule schedule(Limits(8, 8 * kContext));
  Add(schedule, 1, 3, 10);
  StepPlan plan = schedule.Plan();
  EXPECT_EQ(plan.opened, std::vector<StateId>{State(1)});
  ASSERT_EQ(plan.caches.size(), 1U);
  EXPECT_EQ(plan.caches[0].size, (KeyValueCache::Size{.slots = 1, .capacity = 64}));
  CarryOut(schedule, plan);
  Add(schedule, 1, 3, 2);
  Add(schedule, 1, 3, 100);
  plan = schedule.Plan();
  ASSERT_EQ(plan.caches.size(), 1U);
  EXPECT_EQ(plan.caches[0].size, (KeyValueCache::Size{.slots = 4, .capacity = 128}));
  CarryOut(schedule, plan);
  CarryOut(schedule, schedule.Plan());  // the second ends
  Add(schedule, 1, 1, 5);
  plan = schedule.Plan();
  ASSERT_EQ(plan.passes.size(), 1U);
  ASSERT_EQ(plan.passes[0].runs.size(), 3U);
  EXPECT_EQ(plan.passes[0].runs[1].place,
            (worker::model::CacheRun{.slot = 1, .begin = 0, .tokens = 1}));
  EXPECT_TRUE(plan.caches.empty());
}

TEST_F(CompletionScheduleTest, PromptsShareWhatAStepAllowsInOrderOfAdmission) {
  CompletionSchedule schedule(Limits(8, 8 * kContext, 10));
  Add(schedule, 1, 14, 4);
  Add(schedule, 2, 9, 4);
  StepPlan plan = schedule.Plan();
  ASSERT_EQ(plan.passes.size(), 1U);
  EXPECT_EQ(plan.passes[0].runs[0],
            (PlannedRun{.place = {.slot = 0, .begin = 0, .tokens = 10}, .logits = 0}));
  CarryOut(schedule, plan);
  plan = schedule.Plan();
  EXPECT_EQ(PassTokens(plan), 10);  // four of the first, which draws, and six of the second
  CarryOut(schedule, plan);
  EXPECT_EQ(PassTokens(schedule.Plan()), 1 + 3);
}

TEST_F(CompletionScheduleTest, ACacheThatCannotGrowEndsTheRowsThatNeededIt) {
  CompletionSchedule schedule(Limits(8, 8 * kContext));
  Add(schedule, 1, 3, 10);
  CarryOut(schedule, schedule.Plan());
  Add(schedule, 1, 3, 10);
  const StepPlan plan = schedule.Plan();
  ASSERT_EQ(plan.caches.size(), 1U);
  schedule.CacheRefused(State(1), ResourceExhausted("no memory"));
  schedule.Sweep();
  EXPECT_FALSE(ends_[0]);
  EXPECT_THAT(*ends_[1], StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(schedule.running(), 1U);
  EXPECT_TRUE(schedule.Plan().caches.empty());
}

TEST_F(CompletionScheduleTest, AStateThatCouldNotBeOpenedIsOpenedAgainForTheNext) {
  CompletionSchedule schedule(Limits(8, 8 * kContext));
  Add(schedule, 1, 3, 10);
  EXPECT_EQ(schedule.Plan().opened.size(), 1U);
  schedule.OpenRefused(State(1), Status(StatusCode::kFailedPrecondition, "state_not_live", "gone"));
  schedule.Sweep();
  EXPECT_THAT(*ends_[0], StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
  Add(schedule, 1, 3, 10);
  EXPECT_EQ(schedule.Plan().opened, std::vector<StateId>{State(1)});
}

// Rows of all sizes and four states under a cache that holds few of them: bounds hold at every
// step, and everyone comes to an end.
TEST_F(CompletionScheduleTest, BoundsHoldAndEveryRowEndsWhateverComes) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    constexpr std::int64_t kRowsMax = 5, kCacheTokens = 700, kPrefill = 20;
    std::mt19937 random(seed);
    const auto below = [&](int bound) {
      return static_cast<int>(random() % static_cast<unsigned>(bound));
    };
    CompletionSchedule schedule(Limits(kRowsMax, kCacheTokens, kPrefill));
    ends_.clear();
    open_.clear();
    for (int step = 0; step < 20'000 && (step < 1000 || !schedule.idle()); ++step) {
      if (step < 1000 && below(4) == 0) Add(schedule, below(4), 1 + below(200), 1 + below(80));
      const StepPlan plan = schedule.Plan();
      CarryOut(schedule, plan);
      EXPECT_LE(PassTokens(plan), kPrefill + kRowsMax);
      EXPECT_LE(schedule.running(), static_cast<std::size_t>(kRowsMax));
      EXPECT_LE(CacheTokens(), kCacheTokens);
    }
    EXPECT_TRUE(schedule.idle());
    EXPECT_TRUE(open_.empty());
    for (const auto& end : ends_) EXPECT_TRUE(end && end->ok());
    EXPECT_GT(ends_.size(), 150U);
  }
}

}  // namespace
}  // namespace emend::test::completion_schedule_test
