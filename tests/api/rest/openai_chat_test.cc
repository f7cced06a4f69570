#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "api/rest/openai.h"
#include "tests/support/status_matchers.h"

namespace emend::api::rest::openai_chat_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using nlohmann::json;
using ::testing::StartsWith;

const json kPlain = {
    {"model", "atlas@v1"},
    {"messages",
     {{{"role", "system"}, {"content", "Be kind."}},
      {{"role", "user"},
       {"content", {{{"type", "text"}, {"text", "Who "}}, {{"type", "text"}, {"text", "am I?"}}}}},
      {{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}, {"tool_calls", json::array()}},
      {{"role", "tool"}, {"content", "4"}},
      {{"role", "developer"}, {"content", "Go on."}}}}};

CompletionBody Read(const json& more) {
  json body = kPlain;
  body.update(more);
  const Result<CompletionBody> read = kChatShape.read(body);
  EXPECT_THAT(read.status(), IsOk());
  return read.ok() ? *read : CompletionBody{};
}

std::string Refusal(const json& more) {
  json body = kPlain;
  body.update(more);
  const Status status = kChatShape.read(body).status();
  EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument, "invalid_argument"));
  return status.message();
}

TEST(OpenAiChat, MessagesAreReadInTheirOrder) {
  const CompletionBody body = Read(json::object());
  EXPECT_EQ(body.request.repo.value(), "atlas");
  EXPECT_EQ(body.request.revision, "v1");
  EXPECT_EQ(body.request.prompts, std::vector<coordinator::answers::Prompt>(1));
  const std::vector<worker::protocol::ChatMessage> expected = {{"system", "Be kind."},
                                                               {"user", "Who am I?"},
                                                               {"assistant", ""},
                                                               {"tool", "4"},
                                                               {"developer", "Go on."}};
  EXPECT_EQ(body.request.text.messages, expected);
  EXPECT_EQ(body.request.text.temperature, 1);
  EXPECT_EQ(body.request.text.tokens_max, 1024);
  EXPECT_EQ(body.request.text.top, -1);
}

TEST(OpenAiChat, TheNewerNameOfABoundGoesBeforeTheOlder) {
  EXPECT_EQ(Read({{"max_tokens", 5}}).request.text.tokens_max, 5);
  EXPECT_EQ(Read({{"max_completion_tokens", 6}}).request.text.tokens_max, 6);
  EXPECT_EQ(Read({{"max_tokens", 5}, {"max_completion_tokens", 6}}).request.text.tokens_max, 6);
  EXPECT_EQ(Read({{"max_tokens", 5}, {"max_completion_tokens", nullptr}}).request.text.tokens_max,
            5);
}

TEST(OpenAiChat, LogprobsAreAskedForByTwoFields) {
  EXPECT_EQ(Read({{"logprobs", true}}).request.text.top, 0);
  EXPECT_EQ(Read({{"logprobs", true}, {"top_logprobs", 20}}).request.text.top, 20);
  EXPECT_EQ(Read({{"logprobs", false}, {"top_logprobs", 0}}).request.text.top, -1);
  EXPECT_THAT(Refusal({{"top_logprobs", 2}}), StartsWith("at /top_logprobs: "));
  EXPECT_THAT(Refusal({{"logprobs", 3}}), StartsWith("at /logprobs: "));
}

TEST(OpenAiChat, WhatWouldChangeTheAnswerIsRefusedByName) {
  for (const auto& [name, value] :
       std::map<std::string, json>{{"tools", {{{"type", "function"}}}},
                                   {"tool_choice", "auto"},
                                   {"response_format", {{"type", "json_object"}}},
                                   {"presence_penalty", 0.5},
                                   {"frequency_penalty", 1},
                                   {"logit_bias", {{"5", 1}}},
                                   {"functions", json::array()},
                                   {"prompt", "x"},
                                   {"n", 65}}) {
    EXPECT_THAT(Refusal({{name, value}}), StartsWith("at /" + name + ": "));
  }
  EXPECT_EQ(Read({{"tools", json::array()},
                  {"tool_choice", "none"},
                  {"response_format", {{"type", "text"}}},
                  {"presence_penalty", 0.0},
                  {"logit_bias", json::object()},
                  {"user", "ann"},
                  {"n", 3}})
                .request.count,
            3);
}

TEST(OpenAiChat, AMessageThatIsNoneIsRefusedWhereItStands) {
  const auto refusal = [](const json& message) {
    return Refusal({{"messages", {{{"role", "user"}, {"content", "Hi"}}, message}}});
  };
  EXPECT_THAT(refusal("Hi"), StartsWith("at /messages/1: found \"Hi\""));
  EXPECT_THAT(refusal({{"content", "Hi"}}), StartsWith("at /messages/1/role: "));
  EXPECT_THAT(refusal({{"role", "robot"}, {"content", "Hi"}}),
              StartsWith("at /messages/1/role: found \"robot\""));
  EXPECT_THAT(refusal({{"role", "user"}}), StartsWith("at /messages/1/content: found null"));
  EXPECT_THAT(refusal({{"role", "user"}, {"content", "Hi"}, {"name", "ann"}}),
              StartsWith("at /messages/1/name: this field is unknown here"));
  EXPECT_THAT(refusal({{"role", "user"},
                       {"content", {{{"type", "image_url"}, {"image_url", json::object()}}}}}),
              StartsWith("at /messages/1/content: "));
  EXPECT_THAT(Refusal({{"messages", json::array()}}), StartsWith("at /messages: found []"));
  EXPECT_THAT(Refusal({{"messages", nullptr}}), StartsWith("at /messages: found null"));
  EXPECT_THAT(Refusal({{"messages", json(1025, kPlain["messages"][0])}}),
              StartsWith("at /messages: "));
}

TEST(OpenAiChat, LogprobsHaveTheBytesOfEachToken) {
  CompletionChoice choice;
  choice.tokens = {{.token = "\xe4",
                    .log_probability = -0.5,
                    .text_begin = 0,
                    .top = {{"a", 0.5}, {"\xe4", 0.25}}}};
  const json rendered = RenderCompletion(kChatShape, {}, {choice}, 1, /*with_logprobs=*/true);
  const json expected = {
      {{"token", "bytes:\\xe4"},
       {"logprob", -0.5},
       {"bytes", {0xe4}},
       {"top_logprobs",
        {{{"token", "a"}, {"logprob", std::log(0.5)}, {"bytes", {97}}},
         {{"token", "bytes:\\xe4"}, {"logprob", std::log(0.25)}, {"bytes", {0xe4}}}}}}};
  EXPECT_EQ(rendered["choices"][0]["logprobs"],
            (json{{"content", expected}, {"refusal", nullptr}}));
}

}  // namespace
}  // namespace emend::api::rest::openai_chat_test
