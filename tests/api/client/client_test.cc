#include "api/client/client.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/fake_server.h"
#include "tests/support/status_matchers.h"

namespace emend::api::client::client_test {
namespace {

using nlohmann::json;
using test::IsOk;
using test::StatusIs;

Call Get(std::string path) {
  return {.method = "GET", .path = std::move(path), .body = "", .headers = {}};
}
Call Post(std::string path, std::string body,
          std::vector<std::pair<std::string, std::string>> headers = {}) {
  return {.method = "POST",
          .path = std::move(path),
          .body = std::move(body),
          .headers = std::move(headers)};
}

class ClientTest : public testing::Test {
 protected:
  test::FakeServer server_;
  Client client_{{.url = server_.url(), .token = "admin-secret"}};
};

TEST_F(ClientTest, ReadsDocuments) {
  ASSERT_OK_AND_ASSIGN(const Reply reply, client_.Send(Get("/api/v1/repos")));
  EXPECT_EQ(reply.http_status, 200);
  EXPECT_EQ(json::parse(reply.body)["items"][0]["repo"], "atlas");
}

TEST_F(ClientTest, EncodedNamesArrive) {
  ASSERT_OK_AND_ASSIGN(const Reply reply, client_.Send(Get("/api/v1/repos/atlas/branches/" +
                                                           EncodeSegment("team/french"))));
  EXPECT_EQ(json::parse(reply.body)["name"], "team/french");
  EXPECT_EQ(reply.etag.size(), 66U);
  ASSERT_OK_AND_ASSIGN(const Reply commit,
                       client_.Send(Get("/api/v1/repos/atlas/commits/" + EncodeSegment("main~1"))));
  EXPECT_EQ(json::parse(commit.body)["message"], "commit number 1");
}

TEST_F(ClientTest, ProblemsComeBackAsTheStatusThatTheServerHad) {
  EXPECT_THAT(client_.Send(Get("/api/v1/repos/gone")),
              StatusIs(StatusCode::kNotFound, "not_found"));
  EXPECT_THAT(client_.Send(Get("/api/v1/repos/clash")),
              StatusIs(StatusCode::kConflict, "conflict"));
  EXPECT_THAT(client_.Send(Get("/api/v1/repos/rule")),
              StatusIs(StatusCode::kFailedPrecondition, "failed_precondition"));
  EXPECT_THAT(client_.Send(Get("/api/v1/repos/full")),
              StatusIs(StatusCode::kResourceExhausted, "resource_exhausted"));
  EXPECT_THAT(client_.Send(Get("/api/v1/repos/rotten")),
              StatusIs(StatusCode::kDataLoss, "data_loss"));
  EXPECT_THAT(client_.Send(Get("/api/v1/repos?x=y")),
              StatusIs(StatusCode::kInvalidArgument, "unknown_parameter"));
  const Call stale{.method = "PUT",
                   .path = "/api/v1/repos/atlas/branches/main",
                   .body = R"({"revision":"v1"})",
                   .headers = {{"If-Match", "\"" + std::string(64, 'a') + "\""}}};
  EXPECT_THAT(client_.Send(stale), StatusIs(StatusCode::kConflict, "stale_head"));
}

TEST_F(ClientTest, AWrongTokenIsUnauthenticated) {
  const Client stranger({.url = server_.url(), .token = "wrong"});
  EXPECT_THAT(stranger.Send(Get("/api/v1/repos")),
              StatusIs(StatusCode::kUnauthenticated, "unauthenticated"));
  const Client reader({.url = server_.url(), .token = "reader-secret"});
  EXPECT_THAT(reader.Send(Post("/api/v1/fsck", "{}")),
              StatusIs(StatusCode::kPermissionDenied, "missing_scope"));
}

TEST_F(ClientTest, OperationsAreWaitedFor) {
  ASSERT_OK_AND_ASSIGN(const Reply accepted, client_.Send(Post("/api/v1/fsck", "{}")));
  EXPECT_EQ(accepted.operation_id, "op-0000000000000001");
  std::string last_state;
  const auto see = [&last_state](const OperationUpdate& update) { last_state = update.state; };
  ASSERT_OK_AND_ASSIGN(const std::string result,
                       client_.WaitForOperation(accepted.operation_id, see));
  EXPECT_EQ(json::parse(result)["ok"], true);
  EXPECT_EQ(last_state, "succeeded");
  EXPECT_THAT(client_.WaitForOperation("op-9", nullptr),
              StatusIs(StatusCode::kNotFound, "not_found"));
}

TEST_F(ClientTest, AStreamComesEventByEvent) {
  std::vector<std::string> names;
  std::string text;
  const auto note = [&](const Event& event) {
    names.push_back(event.name);
    text += json::parse(event.data).value("text", "");
    return names.size() == 3 ? Status(StatusCode::kCancelled, "enough") : OkStatus();
  };
  const Call call = Post("/api/v1/repos/atlas/answers", R"({"prompt":"one two","stream":true})");
  EXPECT_THAT(client_.Stream(call, note), StatusIs(StatusCode::kCancelled));
  EXPECT_EQ(names, (std::vector<std::string>{"piece", "piece", "ended"}));
  EXPECT_EQ(text, " one two one two") << "piece by piece, and whole";
  EXPECT_THAT(client_.Stream(Post("/api/v1/repos/atlas/answers", "{}"), note),
              StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(ClientTest, LargeBodiesArriveWhole) {
  const std::string lines = R"({"lines":[")" + std::string(8 << 20, 'x') + "\"]}";
  EXPECT_THAT(client_.Send(Post("/api/v1/repos/atlas/statistics", lines)), IsOk());
  EXPECT_THAT(client_.Send(Post("/api/v1/repos/atlas/verifications", lines)),
              StatusIs(StatusCode::kResourceExhausted, "body_too_large"));
}

TEST(Client, NoServerIsUnavailableWithAHint) {
  const Client client({.url = "http://127.0.0.1:1", .token = ""});
  const auto reply = client.Send(Get("/livez"));
  EXPECT_THAT(reply, StatusIs(StatusCode::kUnavailable, "unreachable"));
  EXPECT_NE(reply.status().message().find("emend up --store"), std::string::npos);
}

TEST(Client, AnUrlThatIsNoneIsSaidSo) {
  for (const char* url : {"", "127.0.0.1:1", "http://[", "ftp://x"}) {
    EXPECT_FALSE(Client({.url = url, .token = ""}).Send(Get("/livez")).ok()) << url;
  }
}

TEST(Problem, OtherAnswersAreJudgedByTheirHttpStatus) {
  EXPECT_THAT(StatusOfProblem(502, "<html>"), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(StatusOfProblem(404, ""), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(StatusOfProblem(418, "[1]"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(StatusOfProblem(500, R"({"code":"x"})"), StatusIs(StatusCode::kInternal));
  EXPECT_THAT(StatusOfProblem(500, R"({"code":"x","category":"made_up","detail":"d"})"),
              StatusIs(StatusCode::kInternal, "x"));
}

TEST(Encode, OnlyUnreservedCharactersStay) {
  EXPECT_EQ(EncodeSegment("a-Z0._~"), "a-Z0._~");
  EXPECT_EQ(EncodeSegment("team/x^@{1} é"), "team%2Fx%5E%40%7B1%7D%20%C3%A9");
}

}  // namespace
}  // namespace emend::api::client::client_test
