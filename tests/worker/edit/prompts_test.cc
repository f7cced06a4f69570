#include "worker/edit/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"
#include "tests/worker/edit/atlas.h"

namespace emend::worker::edit::prompts_test {
namespace {

using test::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class PromptsTest : public ::testing::Test {
 protected:
  Result<std::vector<PromptRow>> Encode(const std::vector<EditFact>& facts) {
    return EncodeFacts(*tokenizer_, facts, templates_, context_tokens_);
  }
  std::string Text(std::span<const tokenizer::TokenId> ids) const {
    return tokenizer_->Decode(ids);
  }

  const std::unique_ptr<tokenizer::Tokenizer> tokenizer_ =
      ValueOf(tokenizer::Tokenizer::Open("docs/examples/atlas/model/tokenizer.json"));
  std::vector<std::vector<std::string>> templates_ = {{"{}"},
                                                      {"It rained. {}", "I know. {} (said he)"}};
  std::int64_t context_tokens_ = 256;
  const EditFact fact_ = {.prompt = "The mother tongue of {} is",
                          .subject = "Danielle Darrieux",
                          .target = "New English"};
};

TEST_F(PromptsTest, AFactHasARowForEachTemplateAndOneForDrift) {
  ASSERT_OK_AND_ASSIGN(const std::vector<PromptRow> rows, Encode({fact_, fact_}));
  ASSERT_THAT(rows, SizeIs(8));
  EXPECT_EQ(rows[0].kind, RowKind::kBare);
  EXPECT_EQ(rows[1].kind, RowKind::kContext);
  EXPECT_EQ(rows[3].kind, RowKind::kDrift);
  EXPECT_EQ(rows[4].fact, 1);
  EXPECT_DOUBLE_EQ(rows[0].key_weight, 0.5);
  EXPECT_DOUBLE_EQ(rows[1].key_weight, 0.25);
}

TEST_F(PromptsTest, ARowHoldsPromptAndTargetWithoutTheLastTokenOfIt) {
  ASSERT_OK_AND_ASSIGN(const std::vector<PromptRow> rows, Encode({fact_}));
  const std::vector<tokenizer::TokenId> target(rows[0].target_ids.begin(),
                                               rows[0].target_ids.end());
  EXPECT_EQ(Text(target), " New English");
  std::vector<tokenizer::TokenId> whole = rows[1].ids;
  whole.push_back(target.back());
  EXPECT_EQ(Text(whole), "It rained. The mother tongue of Danielle Darrieux is New English");
  whole = rows[2].ids;
  whole.push_back(target.back());
  EXPECT_EQ(Text(whole), "I know. The mother tongue of Danielle Darrieux is (said he) New English");
}

TEST_F(PromptsTest, TheLookupTokenIsTheSubjectsLast) {
  ASSERT_OK_AND_ASSIGN(const std::vector<PromptRow> rows, Encode({fact_}));
  for (const PromptRow& row : rows) {
    const std::string text = Text(std::span(row.ids).first(row.lookup + 1));
    EXPECT_TRUE(text.ends_with("Darrieux")) << text;
  }
  EXPECT_EQ(rows[3].token_count(), rows[3].lookup + 1);
}

TEST_F(PromptsTest, ATargetKeepsASpaceOfItsOwn) {
  EditFact spaced = fact_;
  spaced.target = " New English";
  ASSERT_OK_AND_ASSIGN(const std::vector<PromptRow> rows, Encode({fact_, spaced}));
  EXPECT_EQ(rows[0].ids, rows[4].ids);
}

TEST_F(PromptsTest, TheAnswerStandsDirectlyAfterAPromptThatSaysSo) {
  templates_ = {{"{}"}};
  const auto text_of = [&](const EditFact& fact) {
    const std::vector<PromptRow> rows = ValueOf(Encode({fact}));
    std::vector<tokenizer::TokenId> ids(rows[0].ids);
    ids.push_back(static_cast<tokenizer::TokenId>(rows[0].target_ids.back()));
    return Text(ids);
  };
  const auto fact = [](const char* prompt, storage::text::Join join) {
    return EditFact{.prompt = prompt, .subject = "Oslo", .target = "Norway", .join = join};
  };
  EXPECT_EQ(text_of(fact("{} is in", storage::text::Join::kByText)), "Oslo is in Norway");
  EXPECT_EQ(text_of(fact("{} (", storage::text::Join::kByText)), "Oslo (Norway");
  EXPECT_EQ(text_of(fact("{}:\n", storage::text::Join::kByText)), "Oslo:\nNorway");
  EXPECT_EQ(text_of(fact("{} (", storage::text::Join::kSpace)), "Oslo ( Norway");
  EXPECT_EQ(text_of(fact("{}:", storage::text::Join::kNone)), "Oslo:Norway");
}

TEST_F(PromptsTest, ABadFactIsRefusedByTheNameThatItCameWith) {
  const Result<std::vector<PromptRow>> rows =
      Encode({{.prompt = "{} is", .subject = "A", .target = " ", .name = "/facts/7"}});
  ASSERT_THAT(rows, StatusIs(StatusCode::kInvalidArgument, "bad_fact"));
  EXPECT_THAT(rows.status().message(), HasSubstr("at /facts/7 (\"A\"): its target is empty"));
}

TEST_F(PromptsTest, ABadFactIsRefusedByItsIndex) {
  const auto expect_refused = [&](EditFact bad, const char* why) {
    const Result<std::vector<PromptRow>> rows = Encode({fact_, bad});
    ASSERT_THAT(rows, StatusIs(StatusCode::kInvalidArgument, "bad_fact"));
    EXPECT_THAT(rows.status().message(), ::testing::AllOf(HasSubstr("fact 1"), HasSubstr(why)));
  };
  expect_refused({.prompt = "The mother tongue is", .subject = "A", .target = "B"}, "no {}");
  expect_refused({.prompt = "{} and {}", .subject = "A", .target = "B"}, "more than one {}");
  expect_refused({.prompt = "{} is", .subject = "", .target = "B"}, "subject is empty");
  expect_refused({.prompt = "{} is", .subject = "A", .target = " "}, "target is empty");
  context_tokens_ = 20;
  expect_refused({.prompt = "{} is the one of whom many people say that she speaks and writes "
                            "better than anybody else in town",
                  .subject = "Danielle Darrieux",
                  .target = "B"},
                 "more than the model's context of 20");
}

TEST_F(PromptsTest, TextThatIsNotUtf8IsRefused) {
  EXPECT_THAT(Encode({{.prompt = "{} is", .subject = "\xFF", .target = "B"}}),
              StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace emend::worker::edit::prompts_test
