#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/live_rest.h"

namespace emend::api::rest::refs_test {
namespace {

using nlohmann::json;
using test::FakeService;
using test::LiveRest;
using test::RawReply;

const std::string kMain = "/api/v1/repos/atlas/branches/main";

std::string IfMatch(int number) {
  return "If-Match: \"" + FakeService::CommitNumber(number).Hex() + "\"\r\n";
}

TEST(Refs, AReadGivesTheEtagThatAWriteNeeds) {
  LiveRest rest;
  const RawReply read = rest.Ask("GET", kMain);
  ASSERT_EQ(read.headers.at("etag"), "\"" + FakeService::CommitNumber(2).Hex() + "\"");
  const RawReply moved = rest.Ask("PUT", kMain, R"({"revision":"main~1"})",
                                  "If-Match: " + read.headers.at("etag") + "\r\n");
  EXPECT_EQ(moved.status, 200);
  EXPECT_EQ(json::parse(moved.body)["commit"], FakeService::CommitNumber(1).Hex());
  EXPECT_EQ(moved.headers.at("etag"), "\"" + FakeService::CommitNumber(1).Hex() + "\"");
}

TEST(Refs, AStaleHeadIsRefused) {
  LiveRest rest;
  const std::string french = "/api/v1/repos/atlas/branches/team/french";
  for (const auto& [method, body] : {std::pair("PUT", R"({"revision":"v1"})"), {"DELETE", ""}}) {
    const RawReply reply = rest.Ask(method, french, body, IfMatch(0));
    EXPECT_EQ(reply.status, 412);
    EXPECT_EQ(json::parse(reply.body)["code"], "stale_head");
  }
}

TEST(Refs, WithoutAConditionNothingMoves) {
  LiveRest rest;
  for (const char* kind : {"branches/main", "tags/v1"}) {
    const std::string path = std::string("/api/v1/repos/atlas/") + kind;
    EXPECT_EQ(rest.Ask("PUT", path, R"({"revision":"v1"})").status, 428);
    const RawReply reply = rest.Ask("DELETE", path);
    EXPECT_EQ(reply.status, 428);
    EXPECT_EQ(json::parse(reply.body)["code"], "precondition_required");
  }
}

TEST(Refs, MalformedConditions) {
  LiveRest rest;
  const std::string id = FakeService::CommitNumber(2).Hex();
  const std::string quoted = "\"" + id + "\"";
  const std::vector<std::string> conditions = {"If-Match: *",
                                               "If-Match: x",
                                               "If-Match: W/" + quoted,
                                               "If-Match: " + id,
                                               "If-Match: " + quoted + ", " + quoted,
                                               "If-None-Match: " + quoted,
                                               "If-Match: " + quoted + "\r\nIf-None-Match: *"};
  for (const std::string& line : conditions) {
    EXPECT_EQ(rest.Ask("PUT", kMain, R"({"revision":"v1"})", line + "\r\n").status, 400) << line;
  }
}

TEST(Refs, CreateFailsWhereOneIs) {
  LiveRest rest;
  EXPECT_EQ(rest.Ask("PUT", kMain, R"({"revision":"v1"})", "If-None-Match: *\r\n").status, 409);
  EXPECT_EQ(rest.Ask("PUT", "/api/v1/repos/atlas/branches/fresh", R"({"revision":"v1"})",
                     "If-None-Match: *\r\n")
                .status,
            200);
  EXPECT_EQ(rest.Ask("GET", "/api/v1/repos/atlas/branches/fresh").status, 200);
}

TEST(Refs, DeletedIsGone) {
  LiveRest rest;
  EXPECT_EQ(rest.Ask("DELETE", "/api/v1/repos/atlas/tags/v1", "", IfMatch(1)).status, 204);
  EXPECT_EQ(rest.Ask("GET", "/api/v1/repos/atlas/tags/v1").status, 404);
  EXPECT_EQ(
      rest.Ask("DELETE", "/api/v1/repos/atlas/branches/main", "", "If-None-Match: *\r\n").status,
      428);
}

TEST(Refs, BodyIsReadStrictly) {
  LiveRest rest;
  for (const char* body :
       {R"({})", R"({"revision":""})", R"({"revision":1})", R"({"revision":"v1","force":true})",
        R"({"revision":"v1","reason":[]})"}) {
    EXPECT_EQ(rest.Ask("PUT", kMain, body, IfMatch(2)).status, 422) << body;
  }
  EXPECT_EQ(rest.Ask("PUT", kMain, R"({"revision":"nope"})", IfMatch(2)).status, 404);
}

TEST(Refs, RevisionsAreReadFromEncodedPaths) {
  LiveRest rest;
  for (const char* path : {"main~1", "main%7E1", "team%2Ffrench", "team/french"}) {
    const RawReply reply = rest.Ask("GET", std::string("/api/v1/repos/atlas/commits/") + path);
    ASSERT_EQ(reply.status, 200) << path;
    EXPECT_EQ(json::parse(reply.body)["commit"], FakeService::CommitNumber(1).Hex()) << path;
  }
}

}  // namespace
}  // namespace emend::api::rest::refs_test
