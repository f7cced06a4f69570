// Completions of conversations: through the base's own chat template, on the demo model with one
// beside it.
#include "worker/server/texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"
#include "tests/worker/collective/rank_group.h"
#include "tests/worker/server/atlas_requests.h"

namespace emend::worker::server::texts_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using ::testing::HasSubstr;

constexpr char kTemplate[] =
    "{% if messages[0].role == 'tool' %}{{ raise_exception('a tool has nothing to say') }}"
    "{% endif %}<|endoftext|>{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}";

struct Said {
  Status status = Internal("not ended");
  std::string text;
  std::uint64_t prompt_tokens = 0;
};

class TextsTest : public ::testing::Test {
 protected:
  // A model whose prompts begin with a token that the tokenizer adds.
  TextsTest() {
    std::filesystem::copy(kAtlasModel, model_, std::filesystem::copy_options::recursive);
    nlohmann::json tokenizer = nlohmann::json::parse(std::ifstream(model_ + "/tokenizer.json"));
    const nlohmann::json first = {{"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}};
    const nlohmann::json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    tokenizer["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single", {first, text}},
        {"pair", {first, text}},
        {"special_tokens",
         {{"<|endoftext|>",
           {{"id", "<|endoftext|>"}, {"ids", {0}}, {"tokens", {"<|endoftext|>"}}}}}}};
    std::ofstream(model_ + "/tokenizer.json") << tokenizer.dump();
  }

  // What is said of each, with the base as its folder is.
  std::vector<Said> Say(const std::vector<protocol::Complete>& texts) {
    std::vector<Said> said(texts.size());
    test::OnEachRank(1, [&](collective::Communicator& ranks) {
      const auto base = LiveBase::Load({AtlasBase(), model_, {}}, {}, ranks);
      ASSERT_THAT(base.status(), IsOk());
      ASSERT_THAT((*base)->Ensure(BaseState(), {}), IsOk());
      Texts under_way(**base);
      for (std::size_t i = 0; i < texts.size(); ++i) under_way.Begin(Asked(texts[i], said[i]));
      while (under_way.under_way()) ASSERT_THAT(under_way.Step(), IsOk());
    });
    return said;
  }
  Said Say(const protocol::Complete& text) { return Say(std::vector{text}).front(); }
  void Write(const std::string& jinja) { std::ofstream(model_ + "/chat_template.jinja") << jinja; }

  static protocol::Complete Conversation(std::vector<protocol::ChatMessage> messages) {
    protocol::Complete text = TextRequest(BaseState(), 0, 8);
    text.messages = std::move(messages);
    return text;
  }

  const test::TemporaryFolder folder_;
  const std::string model_ = folder_.path() + "/model";

 private:
  static std::shared_ptr<Interlude> Asked(const protocol::Complete& text, Said& said) {
    auto interlude = std::make_shared<Interlude>();
    interlude->request = text;
    interlude->on_piece = [&said](const protocol::Piece& piece) { said.text += piece.text; };
    interlude->done = [&said](const Result<protocol::ReplyBody>& reply) {
      said.status = reply.status();
      if (reply.ok()) said.prompt_tokens = std::get<protocol::CompleteReply>(*reply).prompt_tokens;
    };
    return interlude;
  }
};

TEST_F(TextsTest, AConversationIsWhatTheTemplateMakesOfItAndNoTokenMore) {
  Write(kTemplate);
  protocol::Complete plain = Conversation({});
  plain.prompt = "system: Be kind.\nuser: Who was Lily?\nassistant:";
  const std::vector<Said> said =
      Say({Conversation({{"system", "Be kind."}, {"user", "Who was Lily?"}}), plain});
  ASSERT_THAT(said[0].status, IsOk());
  EXPECT_FALSE(said[0].text.empty());
  EXPECT_EQ(said[0].text, said[1].text);
  EXPECT_EQ(said[0].prompt_tokens, said[1].prompt_tokens)
      << "the template writes the first token, which a prompt gets from the tokenizer";
}

TEST_F(TextsTest, APromptMayBeItsTokensAndBeSaidAgain) {
  protocol::Complete text = TextRequest(BaseState(), 0, 8);
  const auto tokenizer = *tokenizer::Tokenizer::OpenFolder(model_);
  protocol::Complete tokens = text;
  tokens.prompt = "";
  const auto encoded =
      tokenizer->Encode(text.prompt, tokenizer::SpecialTokens::kWithTemplate).value();
  for (const auto& token : encoded) tokens.tokens.push_back(token.id);
  protocol::Complete echo = text;
  echo.echo = true;
  protocol::Complete unknown = tokens;
  unknown.tokens[1] = 1 << 30;
  const std::vector<Said> said = Say({text, tokens, echo, unknown});
  ASSERT_THAT(said[0].status, IsOk());
  EXPECT_EQ(said[1].text, said[0].text);
  EXPECT_EQ(said[1].prompt_tokens, said[0].prompt_tokens);
  EXPECT_EQ(said[2].text, text.prompt + said[0].text);
  EXPECT_THAT(said[3].status, StatusIs(StatusCode::kInvalidArgument, "unknown_token"));
}

TEST_F(TextsTest, ATemplateThatWritesADateWritesToday) {
  Write("<|endoftext|>{{ strftime_now('%Y-%m-%d %H:%M') }} {{ messages[0].content }}");
  const auto day = [] { return std::chrono::floor<std::chrono::days>(SystemClock().WallNow()); };
  std::chrono::sys_days begun;
  Said said, expected;
  do {  // once more if midnight went by
    begun = day();
    said = Say(Conversation({{"user", "Once"}}));
    const std::chrono::year_month_day today(begun);
    char date[32];
    std::snprintf(date, sizeof date, "%04d-%02u-%02u 00:00 Once", static_cast<int>(today.year()),
                  static_cast<unsigned>(today.month()), static_cast<unsigned>(today.day()));
    protocol::Complete plain = Conversation({});
    plain.prompt = date;
    expected = Say(plain);
  } while (begun != day());
  EXPECT_EQ(said.text, expected.text);
  EXPECT_EQ(said.prompt_tokens, expected.prompt_tokens);
}

TEST_F(TextsTest, WhatATemplateRefusesIsRefusedInItsWords) {
  Write(kTemplate);
  const Said said = Say(Conversation({{"tool", "4"}}));
  EXPECT_THAT(said.status, StatusIs(StatusCode::kInvalidArgument, "refused_by_chat_template"));
  EXPECT_THAT(said.status.message(), HasSubstr("a tool has nothing to say"));
}

TEST_F(TextsTest, WithoutATemplateThatCanBeUsedThereAreNoConversations) {
  const Said none = Say(Conversation({{"user", "Hi"}}));
  EXPECT_THAT(none.status, StatusIs(StatusCode::kFailedPrecondition, "no_chat_template"));
  EXPECT_THAT(none.status.message(), HasSubstr("it has no chat template"));
  EXPECT_THAT(none.status.message(), HasSubstr("/v1/completions"));
  Write("{% include 'other' %}");
  const Said unknown = Say(Conversation({{"user", "Hi"}}));
  EXPECT_THAT(unknown.status, StatusIs(StatusCode::kFailedPrecondition, "no_chat_template"));
  EXPECT_THAT(unknown.status.message(), HasSubstr("chat_template.jinja"));
}

}  // namespace
}  // namespace emend::worker::server::texts_test
