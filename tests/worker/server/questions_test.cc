#include "worker/server/questions.h"

#include <gmock/gmock.h>

#include <fstream>

#include "storage/text/slot.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/server/handlers_fixture.h"

namespace emend::worker::server::questions_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using protocol::EnsureStateReply;

// What a chat model is asked: the demo model with a template beside it.
class QuestionsTest : public HandlersTest {
 protected:
  // Loads a copy of the model whose folder holds this file, too; what is answered on the edited
  // state with the base as the reference.
  protocol::EvaluateReply Evaluate(const std::string& name, const std::string& text) {
    test::TemporaryFolder folder;
    protocol::LoadBase request = CheckedLoadRequest(folder.path());
    std::ofstream(request.folder + "/" + name) << text;
    request.files[name] = Sha256(text);
    const protocol::SolveReply& solved = Solved();
    EXPECT_THAT(Ask(protocol::ForgetBase{AtlasBase(), "another copy"}), IsOk());
    EXPECT_THAT(Ask(request), IsOk());
    EXPECT_THAT(Ask(EnsureRequest(BaseState(), 0)), IsOk());
    EXPECT_THAT(Ask(EnsureRequest(EditedState(), 4)), IsOk());
    EXPECT_THAT(Ask(PutRequest(solved)), IsOk());
    EXPECT_TRUE(Get<EnsureStateReply>(EnsureRequest(EditedState(), 4)).missing.empty());
    return Get<protocol::EvaluateReply>(protocol::Evaluate{AtlasBase(),
                                                           EditedState(),
                                                           {SolvedFacts()[0]},
                                                           BaseState(),
                                                           /*drift=*/true,
                                                           /*chat=*/true});
  }
  std::string AnswerTo(const std::string& prompt, const StateId& state) {
    protocol::Complete request = TextRequest(state, 0, 24);
    request.prompt = prompt;
    std::string text;
    EXPECT_THAT(Say(request, [&](const protocol::Piece& piece) { text += piece.text; }), IsOk());
    return text;
  }
};

TEST_F(QuestionsTest, AreAskedThroughTheModelsOwnTemplate) {
  const auto reply = Evaluate(
      "tokenizer_config.json",
      R"({"chat_template": "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}bot:"})");
  ASSERT_TRUE(reply.questions.has_value());
  EXPECT_EQ(reply.questions->fault, "");
  ASSERT_EQ(reply.questions->answers.size(), 8U);
  for (const protocol::AnsweredQuestion& answer : reply.questions->answers) {
    const std::string prompt = "user: " + answer.question + "\nbot:";
    EXPECT_EQ(answer.before, AnswerTo(prompt, BaseState()));
    EXPECT_EQ(answer.after, AnswerTo(prompt, EditedState()));
    EXPECT_EQ(answer.same, answer.before == answer.after);
  }
  EXPECT_EQ(reply.questions->answers[2].question, "What do bees make?");
  EXPECT_GT(reply.questions->nll_before, 0);
  EXPECT_NE(reply.questions->nll_after, reply.questions->nll_before);
  EXPECT_GT(reply.perplexity, 1);

  ASSERT_TRUE(reply.chat.has_value());
  ASSERT_EQ(reply.chat->answers.size(), 1U);
  const protocol::EvaluateFact fact = SolvedFacts()[0];
  const protocol::AnsweredQuestion& answer = reply.chat->answers[0];
  EXPECT_EQ(answer.question, storage::text::FillSlot(fact.prompt, fact.subject));
  EXPECT_EQ(answer.after, AnswerTo("user: " + answer.question + "\nbot:", EditedState()));
  EXPECT_EQ(answer.said, answer.after.find(fact.target) != std::string::npos);
  EXPECT_EQ(answer.said_before, answer.before.find(fact.target) != std::string::npos);

  const auto alone = Get<protocol::EvaluateReply>(protocol::Evaluate{
      AtlasBase(), EditedState(), {SolvedFacts()[0]}, std::nullopt, /*drift=*/true, /*chat=*/true});
  EXPECT_FALSE(alone.questions.has_value()) << "there is nothing to compare with";
}

TEST_F(QuestionsTest, TheContextsOfAFactHoldThePromptAsAUserSaysIt) {
  Evaluate("chat_template.jinja",
           "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}bot:");
  protocol::SampleTexts request{.base = AtlasBase(), .prefixes = {"The"}};
  EXPECT_THAT(Get<protocol::SampleTextsReply>(request).contexts, ::testing::IsEmpty());
  request.contexts = true;
  EXPECT_THAT(Get<protocol::SampleTextsReply>(request).contexts,
              ::testing::ElementsAre("user: {}\nbot:"));
  Evaluate("chat_template.jinja", "{{ raise_exception('no talk') }}");
  EXPECT_THAT(Get<protocol::SampleTextsReply>(request).contexts, ::testing::IsEmpty());
}

TEST_F(QuestionsTest, ATemplateThatCannotBeUsedIsSaidAndIsNoFailure) {
  const auto fault = [this](const std::string& jinja) {
    const auto reply = Evaluate("chat_template.jinja", jinja);
    EXPECT_TRUE(reply.questions.has_value() && reply.questions->answers.empty());
    EXPECT_EQ(reply.records, 1U);
    return reply.questions ? reply.questions->fault : "";
  };
  EXPECT_THAT(fault("{% include 'other' %}"), ::testing::HasSubstr("chat_template.jinja"));
  EXPECT_THAT(fault("{{ raise_exception('no system, no talk') }}"),
              ::testing::HasSubstr("no system, no talk"));
  EXPECT_THAT(fault("{{ '<|im_end|>' * 300 }}"),
              ::testing::HasSubstr("the model's context has 256"));
  EXPECT_THAT(fault("{{ '' }}"), ::testing::HasSubstr("the prompt has no token"));
}

TEST_F(QuestionsTest, ATemplateThatIsNotTheImportedOneIsNotLoaded) {
  test::TemporaryFolder folder;
  protocol::LoadBase request = CheckedLoadRequest(folder.path());
  for (const std::string name : {"chat_template.jinja", "tokenizer_config.json"}) {
    request.files[name] = Sha256("{}");
    std::ofstream(request.folder + "/" + name) << "[]";
    EXPECT_THAT(Ask(request), StatusIs(StatusCode::kDataLoss, "base_damaged")) << name;
    request.files.erase(name);
  }
}

TEST_F(QuestionsTest, AModelWithoutATemplateIsNotAsked) {
  const auto reply = Evaluate("README.md", "A model.");
  EXPECT_FALSE(reply.questions.has_value());
  EXPECT_GT(reply.perplexity, 1);
}

}  // namespace
}  // namespace emend::worker::server::questions_test
