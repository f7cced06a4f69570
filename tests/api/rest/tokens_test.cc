#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/support/live_rest.h"

namespace emend::api::rest::tokens_test {
namespace {

using nlohmann::json;
using test::LiveRest;
using test::RawReply;

const std::string kTokens = "/api/v1/tokens";

TEST(Tokens, ASecretIsShownOnceAndTheTokenCanBeRevoked) {
  LiveRest rest;
  const RawReply made = rest.Ask("POST", kTokens, R"({"principal":"ci","scopes":["ask","read"]})");
  ASSERT_EQ(made.status, 201);
  const json token = json::parse(made.body);
  EXPECT_EQ(token["principal"], "ci");
  EXPECT_EQ(token["scopes"], (json{"ask", "read"}));
  EXPECT_TRUE(token["secret"].get<std::string>().starts_with("emend_"));
  const std::string place = kTokens + "/" + token["id"].get<std::string>();
  EXPECT_EQ(made.headers.at("location"), place);
  const json listed = json::parse(rest.Ask("GET", kTokens).body)["items"];
  EXPECT_EQ(std::ranges::count(listed, token["id"], [](const json& item) { return item["id"]; }),
            1);
  for (const json& item : listed) EXPECT_FALSE(item.contains("secret"));
  EXPECT_EQ(rest.Ask("DELETE", place).status, 204);
  EXPECT_EQ(rest.Ask("DELETE", place).status, 404);
}

TEST(Tokens, ABodyThatSaysSomethingElseIsRefusedByItsPointer) {
  LiveRest rest;
  const std::pair<const char*, const char*> cases[] = {
      {R"({"scopes":["read"]})", "/principal"},
      {R"({"principal":"ci"})", "/scopes"},
      {R"({"principal":7,"scopes":["read"]})", "/principal"},
      {R"({"principal":"ci","scopes":"read"})", "/scopes"},
      {R"({"principal":"ci","scopes":[7]})", "/scopes"},
      {R"({"principal":"ci","scopes":["read"],"days":3})", "/days"}};
  for (const auto& [body, pointer] : cases) {
    const RawReply reply = rest.Ask("POST", kTokens, body);
    EXPECT_EQ(reply.status, 422) << body;
    EXPECT_NE(json::parse(reply.body)["detail"].get<std::string>().find(pointer), std::string::npos)
        << reply.body;
  }
}

}  // namespace
}  // namespace emend::api::rest::tokens_test
