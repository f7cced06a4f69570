// Which edit an answer is from: by what the answer is worth without each, to the bit.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "tests/worker/server/handlers_fixture.h"

namespace emend::worker::server::blame_request_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using protocol::Blame;
using protocol::BlameReply;

class BlameRequestTest : public HandlersTest {
 protected:
  BlameRequestTest() {
    const protocol::SolveReply& solved = Solved();
    EXPECT_THAT(Ask(EnsureRequest(EditedState(), 4)), IsOk());
    EXPECT_THAT(Ask(PutRequest(solved)), IsOk());
    EXPECT_TRUE(Get<protocol::EnsureStateReply>(EnsureRequest(EditedState(), 4)).missing.empty());
  }
  static const protocol::BlamedEdit& HangsOn(const BlameReply& reply) {
    return *std::ranges::min_element(reply.edits, {}, &protocol::BlamedEdit::log_probability);
  }
};

TEST_F(BlameRequestTest, TheEditThatWroteAnAnswerIsTheOneThatItHangsOn) {
  const auto facts = SolvedFacts();
  for (std::uint8_t i = 0; i < 4; ++i) {
    const auto reply =
        Get<BlameReply>(Blame{AtlasBase(), EditedState(), PromptOf(i), facts[i].target, 8, 4});
    ASSERT_EQ(reply.edits.size(), 4U);
    EXPECT_EQ(reply.edits[0].edit, NumberedEdit(i)) << "it acts most on its own prompt";
    EXPECT_GT(reply.edits[0].influence, reply.edits[1].influence);
    EXPECT_EQ(HangsOn(reply).edit, NumberedEdit(i));
    EXPECT_GT(reply.log_probability - HangsOn(reply).log_probability, 0.5);
    EXPECT_EQ(reply.answer, " " + facts[i].target);
  }
}

TEST_F(BlameRequestTest, WithoutAnEditIsTheStateThatDoesNotHaveIt) {
  const auto reply = Get<BlameReply>(
      Blame{AtlasBase(), EditedState(), PromptOf(1), SolvedFacts()[1].target, 8, 4});
  for (std::uint8_t i = 0; i < 4; ++i) {
    StateId others(NumberedEdit(static_cast<std::uint8_t>(100 + i)).digest());
    protocol::EnsureState ensure = EnsureRequest(others, 4);
    ensure.edits.erase(ensure.edits.begin() + i);
    ASSERT_TRUE(Get<protocol::EnsureStateReply>(ensure).missing.empty());
    const auto left =
        Get<BlameReply>(Blame{AtlasBase(), others, PromptOf(1), SolvedFacts()[1].target, 8, 0});
    const auto blamed =
        std::ranges::find(reply.edits, NumberedEdit(i), &protocol::BlamedEdit::edit);
    ASSERT_NE(blamed, reply.edits.end());
    EXPECT_EQ(blamed->log_probability, left.log_probability) << int{i};
    EXPECT_EQ(reply.log_probability_base, left.log_probability_base);
    EXPECT_EQ(left.edits.size(), 0U);
  }
}

TEST_F(BlameRequestTest, WithoutAnAnswerItIsWhatTheStateSays) {
  const auto reply = Get<BlameReply>(Blame{AtlasBase(), EditedState(), PromptOf(0), {}, 6, 2});
  EXPECT_EQ(reply.answer, Answer(EditedState(), 0));
  EXPECT_EQ(reply.edits.size(), 2U);
  const auto evaluated =
      Get<protocol::EvaluateReply>(protocol::Evaluate{.base = AtlasBase(),
                                                      .state = EditedState(),
                                                      .facts = {{.prompt = "{}",
                                                                 .subject = PromptOf(0),
                                                                 .target = reply.answer,
                                                                 .old_target = {},
                                                                 .paraphrases = {},
                                                                 .neighbours = {}}}});
  EXPECT_NEAR(std::log(evaluated.facts[0].probability), reply.log_probability, 1e-4);
  EXPECT_THAT(phases_, ::testing::Contains("blame"));
}

TEST_F(BlameRequestTest, ABaseHasNoEditsToBlame) {
  ASSERT_TRUE(Get<protocol::EnsureStateReply>(EnsureRequest(BaseState(), 0)).missing.empty());
  const auto reply = Get<BlameReply>(Blame{AtlasBase(), BaseState(), PromptOf(0)});
  EXPECT_EQ(reply.log_probability, reply.log_probability_base);
  EXPECT_EQ(reply.edits.size(), 0U);
}

TEST_F(BlameRequestTest, WhatCannotBeAskedIsRefused) {
  EXPECT_THAT(Ask(Blame{AtlasBase(), EditedState(), ""}),
              StatusIs(StatusCode::kInvalidArgument, "empty_prompt"));
  std::string long_prompt;
  for (int i = 0; i < 300; ++i) long_prompt += " word";
  EXPECT_THAT(Ask(Blame{AtlasBase(), EditedState(), long_prompt}),
              StatusIs(StatusCode::kInvalidArgument, "prompt_too_long"));
  EXPECT_THAT(Ask(Blame{AtlasBase(), StateId(), "p"}),
              StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
  cancel_at_first_report_ = true;
  EXPECT_THAT(Ask(Blame{AtlasBase(), EditedState(), PromptOf(0)}),
              StatusIs(StatusCode::kCancelled));
}

}  // namespace
}  // namespace emend::worker::server::blame_request_test
