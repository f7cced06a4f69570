// OpenAI's completions of texts and of conversations, over a real socket.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/live_rest.h"

namespace emend::api::rest::completions_test {
namespace {

using coordinator::server::CompletionRequest;
using nlohmann::json;
using test::FakeService;
using test::LiveRest;
using test::RawReply;

class CompletionsTest : public ::testing::Test {
 protected:
  RawReply Complete(const json& body) {
    const bool is_chat = body.contains("messages");
    return rest_.Ask("POST", is_chat ? "/v1/chat/completions" : "/v1/completions", body.dump());
  }
  json Answer(const json& body) {
    const RawReply reply = Complete(body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return json::parse(reply.body, nullptr, false);
  }
  // The data of each event of a stream.
  std::vector<std::string> Events(const json& body) {
    const RawReply reply = Complete(body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.headers.at("content-type"), "text/event-stream");
    std::vector<std::string> events;
    for (std::size_t begin = 0; begin < reply.body.size();) {
      const std::size_t end = reply.body.find("\n\n", begin);
      EXPECT_EQ(reply.body.substr(begin, 6), "data: ");
      events.push_back(reply.body.substr(begin + 6, end - begin - 6));
      begin = end + 2;
    }
    return events;
  }
  CompletionRequest Asked() {
    CompletionRequest request;
    rest_.Do([&](FakeService& service) { request = service.last_completion(); });
    return request;
  }
  // How many were given up, once that is as many as expected or ten seconds have gone by.
  std::size_t GivenUp(std::size_t expected) {
    std::size_t given_up = 0;
    for (int i = 0; i < 1000 && given_up < expected; ++i) {
      rest_.Do([&](FakeService& service) { given_up = service.completions_given_up(); });
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return given_up;
  }
  std::string ErrorAt(json body) {
    const RawReply reply = Complete(body);
    EXPECT_EQ(reply.status, 422) << reply.body;
    return json::parse(reply.body).at("error").at("message");
  }

  LiveRest rest_;
  const json plain_ = {{"model", "atlas"}, {"prompt", "one two three"}, {"max_tokens", 8}};
  const json chat_ = {{"model", "atlas"}, {"messages", {Message("one two three")}}};

  static json Message(const char* text) { return {{"role", "user"}, {"content", text}}; }
};

json With(json body, const json& more) {
  body.update(more);
  return body;
}

TEST_F(CompletionsTest, AnAnswerNamesItsCommitAndCountsItsTokens) {
  const json answer = Answer(plain_);
  EXPECT_EQ(answer.at("object"), "text_completion");
  EXPECT_EQ(answer.at("model"), "atlas");
  EXPECT_EQ(answer.at("system_fingerprint"), FakeService::CommitNumber(2).Hex());
  ASSERT_EQ(answer.at("choices").size(), 1U);
  EXPECT_EQ(answer.at("choices")[0].at("text"), " one two three");
  EXPECT_EQ(answer.at("choices")[0].at("finish_reason"), "stop");
  EXPECT_TRUE(answer.at("choices")[0].at("logprobs").is_null());
  EXPECT_EQ(answer.at("usage"),
            json({{"prompt_tokens", 3}, {"completion_tokens", 3}, {"total_tokens", 6}}));
}

TEST_F(CompletionsTest, ARevisionIsPartOfTheModel) {
  const json answer = Answer(With(plain_, {{"model", "atlas@v1"}}));
  EXPECT_EQ(answer.at("model"), "atlas@v1");
  EXPECT_NE(answer.at("system_fingerprint"), FakeService::CommitNumber(2).Hex());
  EXPECT_EQ(Complete(With(plain_, {{"model", "nothing@main"}})).status, 404);
}

TEST_F(CompletionsTest, WhatIsAskedForReachesTheService) {
  Answer(With(plain_, {{"temperature", 0.5},
                       {"top_p", 0.9},
                       {"top_k", 40},
                       {"seed", 7},
                       {"stop", {"\n", "."}},
                       {"n", 2},
                       {"logprobs", 3},
                       {"echo", true},
                       {"user", "ann"}}));
  const CompletionRequest asked = Asked();
  EXPECT_EQ(asked.revision, "main");
  EXPECT_EQ(asked.count, 2);
  EXPECT_EQ(asked.text.tokens_max, 8);
  EXPECT_EQ(asked.text.temperature, 0.5);
  EXPECT_EQ(asked.text.top_p, 0.9);
  EXPECT_EQ(asked.text.top_k, 40);
  EXPECT_EQ(asked.text.seed, 7U);
  EXPECT_EQ(asked.text.stop, (std::vector<std::string>{"\n", "."}));
  EXPECT_EQ(asked.text.top, 3);
  EXPECT_TRUE(asked.text.echo);
}

TEST_F(CompletionsTest, NullsAreDefaults) {
  Answer(With(plain_, {{"temperature", nullptr},
                       {"stop", nullptr},
                       {"n", nullptr},
                       {"logprobs", nullptr},
                       {"stream", nullptr},
                       {"best_of", nullptr}}));
  EXPECT_EQ(Asked().text.temperature, 1);
  EXPECT_EQ(Asked().text.top, -1);
}

TEST_F(CompletionsTest, WhatOtherClientsSendForOffIsOff) {
  Answer(With(plain_, {{"stop", json::array()},
                       {"logprobs", false},
                       {"top_k", -1},
                       {"seed", -1},
                       {"n", 1.0},
                       {"max_tokens", 4.0},
                       {"best_of", 1.0},
                       {"presence_penalty", 0.0}}));
  EXPECT_TRUE(Asked().text.stop.empty());
  EXPECT_EQ(Asked().text.top, -1);
  EXPECT_EQ(Asked().text.top_k, 0);
  EXPECT_EQ(Asked().text.tokens_max, 4);
  for (const char* field : {"n", "max_tokens"})
    EXPECT_NE(ErrorAt(With(plain_, {{field, -1}})).find(field), std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"max_tokens", 4.5}})).find("at /max_tokens"), std::string::npos);
}

TEST_F(CompletionsTest, AnErrorNamesItsField) {
  const RawReply reply = Complete(With(plain_, {{"stop", {"a", ""}}}));
  EXPECT_EQ(reply.status, 422);
  EXPECT_EQ(json::parse(reply.body).at("error").at("param"), "stop");
  EXPECT_TRUE(json::parse(Complete(With(plain_, {{"prompt", "fail"}})).body)
                  .at("error")
                  .at("param")
                  .is_null());
}

TEST_F(CompletionsTest, AModelIsReadUnderItsName) {
  for (const char* id : {"atlas", "atlas@main", "atlas%40main"}) {
    const RawReply reply = rest_.Ask("GET", std::string("/v1/models/") + id, "");
    ASSERT_EQ(reply.status, 200) << id;
    EXPECT_EQ(json::parse(reply.body).at("object"), "model");
    EXPECT_EQ(json::parse(reply.body).at("commit"), FakeService::CommitNumber(2).Hex());
  }
  EXPECT_EQ(json::parse(rest_.Ask("GET", "/v1/models/atlas", "").body).at("id"), "atlas");
  EXPECT_EQ(rest_.Ask("GET", "/v1/models/atlas@team/french", "").status, 200);
  EXPECT_EQ(rest_.Ask("GET", "/v1/models/atlas@none", "").status, 404);
  EXPECT_EQ(rest_.Ask("GET", "/v1/models/nothing", "").status, 404);
}

TEST_F(CompletionsTest, SeveralPromptsAndTextsKeepTheirOrder) {
  const json answer = Answer(With(plain_, {{"prompt", {"a b", "c"}}, {"n", 2}}));
  std::vector<std::string> texts;
  for (const json& choice : answer.at("choices")) texts.push_back(choice.at("text"));
  EXPECT_EQ(texts, (std::vector<std::string>{" a b", " a b", " c", " c"}));
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 6)
      << "each prompt counts once, however many texts go on from it";
}

TEST_F(CompletionsTest, LogprobsNameEachTokenAndWhereItBegins) {
  const json logprobs = Answer(With(plain_, {{"logprobs", 1}})).at("choices")[0].at("logprobs");
  EXPECT_EQ(logprobs.at("tokens"), json({" one", " two", " three"}));
  EXPECT_EQ(logprobs.at("text_offset"), json({0, 4, 8}));
  EXPECT_EQ(logprobs.at("token_logprobs"), json({-0.5, -0.5, -0.5}));
  EXPECT_EQ(logprobs.at("top_logprobs")[0].at(" one"), -0.5) << "its own value";
}

TEST_F(CompletionsTest, AStreamSaysPieceByPieceWhatTheWholeSays) {
  const std::vector<std::string> events = Events(With(
      plain_, {{"stream", true}, {"logprobs", 0}, {"stream_options", {{"include_usage", true}}}}));
  ASSERT_EQ(events.size(), 6U);
  EXPECT_EQ(events.back(), "[DONE]");
  std::string text;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const json choice = json::parse(events[i]).at("choices")[0];
    EXPECT_TRUE(choice.at("finish_reason").is_null());
    EXPECT_TRUE(json::parse(events[i]).at("usage").is_null());
    EXPECT_EQ(choice.at("logprobs").at("text_offset"), json({offset}));
    text += choice.at("text").get<std::string>();
    offset = static_cast<std::int64_t>(text.size());
  }
  EXPECT_EQ(text, " one two three");
  EXPECT_EQ(json::parse(events[3]).at("choices")[0].at("finish_reason"), "stop");
  EXPECT_TRUE(json::parse(events[4]).at("choices").empty());
  EXPECT_EQ(json::parse(events[4]).at("usage").at("total_tokens"), 6);
}

TEST_F(CompletionsTest, AConversationIsAnsweredWithAMessage) {
  const RawReply reply = Complete(With(chat_, {{"seed", 7}, {"n", 2}}));
  const json answer = json::parse(reply.body);
  EXPECT_EQ(reply.headers.at("x-emend-commit"), FakeService::CommitNumber(2).Hex());
  EXPECT_EQ(answer.at("system_fingerprint"), FakeService::CommitNumber(2).Hex());
  EXPECT_EQ(answer.at("object"), "chat.completion");
  EXPECT_EQ(answer.at("id").get<std::string>().substr(0, 9), "chatcmpl-");
  ASSERT_EQ(answer.at("choices").size(), 2U);
  EXPECT_EQ(answer.at("choices")[1],
            json({{"index", 1},
                  {"message",
                   {{"role", "assistant"}, {"content", " one two three"}, {"refusal", nullptr}}},
                  {"logprobs", nullptr},
                  {"finish_reason", "stop"}}));
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 3);
  EXPECT_EQ(Asked().text.messages.at(0).content, "one two three");
  EXPECT_EQ(Asked().text.seed, 7U);
}

TEST_F(CompletionsTest, AStreamedMessageSaysItsRoleOnce) {
  const std::vector<std::string> events =
      Events(With(chat_, {{"stream", true},
                          {"logprobs", true},
                          {"n", 2},
                          {"stream_options", {{"include_usage", true}}}}));
  ASSERT_EQ(events.size(), 10U);
  std::vector<json> deltas;
  for (std::size_t i = 0; i < 4; ++i) {
    const json chunk = json::parse(events[4 + i]);
    EXPECT_EQ(chunk.at("object"), "chat.completion.chunk");
    EXPECT_EQ(chunk.at("choices")[0].at("index"), 1);
    deltas.push_back(chunk.at("choices")[0].at("delta"));
  }
  EXPECT_EQ(deltas, (std::vector<json>{{{"role", "assistant"}, {"content", " one"}},
                                       {{"content", " two"}},
                                       {{"content", " three"}},
                                       json::object()}));
  const json first = json::parse(events[0]).at("choices")[0];
  EXPECT_EQ(first.at("delta").at("role"), "assistant");
  EXPECT_TRUE(first.at("finish_reason").is_null());
  EXPECT_EQ(first.at("logprobs").at("content")[0].at("token"), " one");
  EXPECT_EQ(json::parse(events[7]).at("choices")[0].at("finish_reason"), "stop");
  EXPECT_EQ(json::parse(events[8]).at("usage").at("completion_tokens"), 6);
  EXPECT_EQ(events[9], "[DONE]");
}

TEST_F(CompletionsTest, WhatAWorkerRefusesIsOfTheFieldThatItWasAsked) {
  const auto param = [this](const json& body) {
    const RawReply reply = Complete(body);
    EXPECT_EQ(reply.status, 422);
    EXPECT_EQ(json::parse(reply.body).at("error").at("code"), "refused_by_chat_template");
    return json::parse(reply.body).at("error").at("param").get<std::string>();
  };
  EXPECT_EQ(param(With(chat_, {{"messages", {Message("refuse")}}})), "messages");
  EXPECT_EQ(param(With(plain_, {{"prompt", "refuse"}})), "prompt");
  const std::vector<std::string> events =
      Events(With(chat_, {{"messages", {Message("refuse")}}, {"stream", true}}));
  EXPECT_EQ(json::parse(events.at(1)).at("error").at("param"), "messages");
  EXPECT_EQ(json::parse(events[1]).at("instance"), "/v1/chat/completions");
}

TEST_F(CompletionsTest, ATextThatWasCutSaysSo) {
  EXPECT_EQ(Answer(With(plain_, {{"max_tokens", 2}})).at("choices")[0].at("finish_reason"),
            "length");
}

TEST_F(CompletionsTest, AFailureBehindTheFirstPieceIsTheLastEvent) {
  const std::vector<std::string> events =
      Events(With(plain_, {{"prompt", {"fail", "b"}}, {"stream", true}}));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(json::parse(events[1]).at("error").at("code"), "worker_lost");
  const RawReply whole = Complete(With(plain_, {{"prompt", "fail"}}));
  EXPECT_EQ(whole.status, 503);
  EXPECT_EQ(json::parse(whole.body).at("error").at("code"), "worker_lost");
}

TEST_F(CompletionsTest, WhatWouldChangeTheAnswerIsRefusedByName) {
  EXPECT_NE(ErrorAt(With(plain_, {{"prompt", {1, -2, 3}}})).find("at /prompt"), std::string::npos);
  EXPECT_NE(ErrorAt({{"model", "atlas"}}).find("at /prompt"), std::string::npos);
  EXPECT_NE(ErrorAt({{"prompt", "x"}}).find("at /model"), std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"best_of", 3}})).find("at /best_of"), std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"suffix", "end"}})).find("at /suffix"), std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"presence_penalty", 0.5}})).find("at /presence_penalty"),
            std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"temperature", 3}})).find("at /temperature"), std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"top_p", 0}})).find("at /top_p"), std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"stop", {""}}})).find("at /stop"), std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"n", 65}})).find("at /n"), std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"prompt", {"a", "b"}}, {"n", 64}})).find("prompts times n"),
            std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"stream_options", {{"include_usages", true}}}}))
                .find("at /stream_options"),
            std::string::npos);
  EXPECT_NE(ErrorAt(With(plain_, {{"tokens", 4}})).find("at /tokens"), std::string::npos);
}

TEST_F(CompletionsTest, ErrorsOfOtherLayersHaveTheSameShape) {
  const RawReply reply = rest_.Ask("POST", "/v1/completions", plain_.dump(), "", "wrong");
  EXPECT_EQ(reply.status, 401);
  EXPECT_EQ(json::parse(reply.body).at("error").at("code"), "unauthenticated");
}

TEST_F(CompletionsTest, ModelsAreTheRefsOfAllRepos) {
  const json models = json::parse(rest_.Ask("GET", "/v1/models", "").body);
  EXPECT_EQ(models.at("object"), "list");
  std::vector<std::string> ids;
  for (const json& model : models.at("data")) ids.push_back(model.at("id"));
  EXPECT_NE(std::find(ids.begin(), ids.end(), "atlas@main"), ids.end());
  EXPECT_NE(std::find(ids.begin(), ids.end(), "atlas@v1"), ids.end());
}

TEST_F(CompletionsTest, AClientThatLeavesIsNoticedThoughNothingIsWrittenToIt) {
  for (const bool stream : {false, true}) {
    test::RawHttp client(rest_.port());
    ASSERT_TRUE(client.Send(test::BuildRequest(
        "POST", "/v1/completions", With(plain_, {{"prompt", "wait"}, {"stream", stream}}).dump())));
    if (stream) {
      EXPECT_NE(client.ReadUntil("wait").find("wait"), std::string::npos);
    }
    EXPECT_EQ(GivenUp(0), 0U);
  }
  EXPECT_EQ(GivenUp(2), 2U);
}

}  // namespace
}  // namespace emend::api::rest::completions_test
