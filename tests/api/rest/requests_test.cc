// What a request may get wrong, and that each failure has its status and code.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/live_rest.h"

namespace emend::api::rest::requests_test {
namespace {

using nlohmann::json;
using test::LiveRest;
using test::RawReply;

void ExpectProblem(const RawReply& reply, int status, const std::string& code) {
  EXPECT_EQ(reply.status, status) << reply.body;
  ASSERT_EQ(reply.headers.contains("content-type") ? reply.headers.at("content-type") : "",
            "application/problem+json");
  const json problem = json::parse(reply.body);
  EXPECT_EQ(problem["code"], code);
  EXPECT_EQ(problem["status"], status);
}

TEST(Requests, UnknownResource) {
  LiveRest rest;
  for (const char* path : {"/", "/api", "/api/v1", "/api/v1/", "/api/v1/repos/", "/api/v2/repos",
                           "/API/V1/repos", "/api/v1/repos/atlas/nope", "//api/v1/repos"}) {
    ExpectProblem(rest.Ask("GET", path), 404, "not_found");
  }
}

TEST(Requests, WrongMethodIsToldTheRightOnes) {
  LiveRest rest;
  for (const char* method : {"PATCH", "OPTIONS", "DELETE", "PUT", "TRACE"}) {
    const RawReply reply = rest.Ask(method, "/api/v1/repos");
    ExpectProblem(reply, 405, "method_not_allowed");
    EXPECT_EQ(reply.headers.at("allow"), "GET, HEAD, POST");
  }
}

TEST(Requests, UnknownOrBadParameters) {
  LiveRest rest;
  ExpectProblem(rest.Ask("GET", "/api/v1/repos?colour=red"), 400, "unknown_parameter");
  for (const char* limit :
       {"-1", "0", "x", "", "1e3", "1001", "99999999999999999999", "+1", "%201"}) {
    ExpectProblem(rest.Ask("GET", std::string("/api/v1/repos/atlas/commits?limit=") + limit), 400,
                  "bad_parameter");
  }
  for (const char* wait :
       {"30", "s", "61s", "-1s", "1h", "", "99999999999999999999s", "1.5s", "18446744073709552s"}) {
    ExpectProblem(rest.Ask("POST", std::string("/api/v1/fsck?wait=") + wait, "{}"), 400,
                  "bad_parameter");
  }
  for (const char* bad : {"priority=urgent", "priority=", "priority=Batch", "timeout=0",
                          "timeout=", "timeout=30s", "timeout=-1", "timeout=2592001"}) {
    ExpectProblem(rest.Ask("POST", std::string("/api/v1/fsck?") + bad, "{}"), 400, "bad_parameter");
  }
  ExpectProblem(rest.Ask("GET", "/api/v1/repos?priority=batch"), 400, "unknown_parameter");
  ExpectProblem(rest.Ask("GET", "/api/v1/repos/atlas/diff?from=main"), 400, "bad_parameter");
}

TEST(Requests, WhatSomebodySentIsShownShortened) {
  LiveRest rest;
  const std::string long_text(900'000, 'x');
  for (const std::string& body :
       {json{{"model", "atlas"}, {"prompt", "a"}, {"n", long_text}}.dump(),
        json{{"model", "atlas"}, {"prompt", "a"}, {long_text, 1}}.dump(),
        "{\"" + long_text + "\":1,\"" + long_text + "\":2}"}) {
    const RawReply reply = rest.Ask("POST", "/v1/completions", body);
    EXPECT_GE(reply.status, 400);
    EXPECT_LT(reply.body.size(), 2000U) << reply.body.substr(0, 300);
  }
}

TEST(Requests, WhatOpenAisClientsLookForIsNamed) {
  LiveRest rest;
  for (const char* method : {"GET", "POST"}) {
    const RawReply reply = rest.Ask(method, "/v1/embeddings", "{}");
    ExpectProblem(reply, 404, "not_found");
    EXPECT_NE(
        json::parse(reply.body)["error"]["message"].get<std::string>().find("/v1/chat/completions"),
        std::string::npos);
  }
}

TEST(Requests, FramingThatReadersMayTakeInTwoWaysIsRefused) {
  LiveRest rest;
  const std::string begin =
      "POST /api/v1/fsck HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-secret\r\n"
      "Content-Type: application/json\r\n";
  const std::string next = test::BuildRequest("GET", "/livez");
  for (const std::string& rest_of_it :
       {std::string("Content-Length: 2, 2\r\n\r\n{}"), std::string("Content-Length: +2\r\n\r\n{}"),
        std::string("Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
        std::string("Transfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
        std::string("X: a\r\n\tb\r\nContent-Length: 2\r\n\r\n{}"),
        std::string(
            "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")}) {
    test::RawHttp client(rest.port());
    client.Send(begin + rest_of_it + next);
    ExpectProblem(client.Read(), 400, "malformed_request");
    client.CloseSending();
    EXPECT_TRUE(client.IsClosed()) << rest_of_it;
  }
}

TEST(Requests, MediaType) {
  LiveRest rest;
  const auto send = [&rest](const std::string& type) {
    const std::string more = type + "Content-Length: 2\r\n";
    return test::Exchange(
        rest.port(),
        "POST /api/v1/fsck HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-secret\r\n" + more +
            "\r\n{}");
  };
  ExpectProblem(send(""), 415, "unsupported_media_type");
  ExpectProblem(send("Content-Type: text/plain\r\n"), 415, "unsupported_media_type");
  ExpectProblem(send("Content-Type: application/jsonx\r\n"), 415, "unsupported_media_type");
  ExpectProblem(send("Content-Type: application/json\r\nContent-Encoding: gzip\r\n"), 415,
                "unsupported_media_type");
  EXPECT_EQ(send("Content-Type: Application/JSON ; charset=utf-8\r\n").status, 202);
}

TEST(Requests, BodiesThatAreNoJsonObject) {
  LiveRest rest;
  for (const char* body : {"x", "[]", "{\"a\":1,\"a\":1}", "{", "1", "{\"revision\":NaN}"}) {
    ExpectProblem(rest.Ask("POST", "/api/v1/repos/atlas/verifications", body), 400,
                  "malformed_json");
    ExpectProblem(rest.Ask("POST", "/api/v1/repos/atlas/answers", body), 400, "malformed_json");
    ExpectProblem(rest.Ask("POST", "/api/v1/repos", body), 400, "malformed_json");
  }
}

TEST(Requests, FieldsAreNamedByTheirPointer) {
  LiveRest rest;
  const auto detail = [&rest](const char* path, const char* body) {
    const RawReply reply = rest.Ask("POST", path, body);
    EXPECT_EQ(reply.status, 422) << body;
    return json::parse(reply.body)["detail"].get<std::string>();
  };
  const char* const answers = "/api/v1/repos/atlas/answers";
  EXPECT_NE(detail(answers, R"({})").find("/prompt"), std::string::npos);
  EXPECT_NE(detail(answers, R"({"prompt":""})").find("/prompt"), std::string::npos);
  EXPECT_NE(detail(answers, R"({"prompt":1})").find("/prompt"), std::string::npos);
  EXPECT_NE(detail(answers, R"({"prompt":"x","tokens_max":-1})").find("/tokens_max"),
            std::string::npos);
  EXPECT_NE(detail(answers, R"({"prompt":"x","tokens_max":1e9})").find("/tokens_max"),
            std::string::npos);
  EXPECT_NE(detail(answers, R"({"prompt":"x","top":101})").find("/top"), std::string::npos);
  EXPECT_NE(detail(answers, R"({"prompt":"x","colour":1})").find("/colour"), std::string::npos);
  EXPECT_NE(detail("/api/v1/repos", R"({"model":"/m"})").find("/name"), std::string::npos);
  EXPECT_NE(detail("/api/v1/repos", R"({"name":7,"model":"/m"})").find("/name"), std::string::npos);
  detail("/api/v1/repos", R"({"name":"Not A Name","model":"/m"})");
  EXPECT_NE(
      detail(answers, R"({"prompt":"x","revision":"a\u0001"})").find("/revision: found a control"),
      std::string::npos);
  EXPECT_NE(detail("/v1/completions", R"({"model":["atlas"],"prompt":"x"})").find("/model"),
            std::string::npos);
}

TEST(Requests, EveryKindOfFailureOfTheServiceHasItsStatus) {
  LiveRest rest;
  const std::pair<const char*, int> expected[] = {{"gone", 404},   {"taken", 409}, {"clash", 409},
                                                  {"rule", 409},   {"full", 429},  {"nowhere", 503},
                                                  {"rotten", 500}, {"bug", 500},   {"odd", 501}};
  for (const auto& [repo, status] : expected) {
    EXPECT_EQ(rest.Ask("GET", std::string("/api/v1/repos/") + repo).status, status) << repo;
    EXPECT_EQ(
        rest.Ask("POST", std::string("/api/v1/repos/") + repo + "/verifications", "{}").status,
        status)
        << repo;
  }
  EXPECT_EQ(rest.Ask("GET", "/api/v1/repos/full").headers.at("retry-after"), "1");
}

TEST(Requests, AnExceptionIsAnInternalErrorAndNothingElse) {
  LiveRest rest;
  ExpectProblem(rest.Ask("GET", "/api/v1/repos/thrown"), 500, "internal");
  EXPECT_EQ(rest.Ask("GET", "/livez").status, 200);
}

TEST(Requests, BearerSchemeIsReadLeniently) {
  LiveRest rest;
  const auto status = [&rest](const std::string& line) {
    return test::Exchange(rest.port(),
                          "GET /api/v1/repos HTTP/1.1\r\nHost: x\r\n" + line + "\r\n\r\n")
        .status;
  };
  EXPECT_EQ(status("Authorization: bearer admin-secret"), 200);
  EXPECT_EQ(status("Authorization: BEARER admin-secret"), 200);
  EXPECT_EQ(status("Authorization: Basic admin-secret"), 401);
  EXPECT_EQ(status("Authorization: Bearer"), 401);
  EXPECT_EQ(status("Authorization:"), 401);
  EXPECT_EQ(status("X: y"), 401);
}

TEST(Requests, KeepAliveServesOneAfterAnother) {
  LiveRest rest;
  test::RawHttp client(rest.port());
  for (int i = 0; i < 5; ++i) {
    client.Send(test::BuildRequest("GET", "/api/v1/repos"));
    EXPECT_EQ(client.Read().status, 200);
  }
  client.Send(test::BuildRequest("GET", "/nope"));
  EXPECT_EQ(client.Read().status, 404);
  client.Send(test::BuildRequest("GET", "/livez"));
  EXPECT_EQ(client.Read().status, 200);
}

TEST(Requests, PipelinedOnesAreAnsweredInOrder) {
  LiveRest rest;
  test::RawHttp client(rest.port());
  client.Send(test::BuildRequest("GET", "/livez") + test::BuildRequest("GET", "/nope") +
              test::BuildRequest("POST", "/api/v1/fsck", "{}") +
              test::BuildRequest("GET", "/api/v1/version"));
  EXPECT_EQ(client.Read().status, 200);
  EXPECT_EQ(client.Read().status, 404);
  EXPECT_EQ(client.Read().status, 202);
  EXPECT_EQ(client.Read().status, 200);
}

TEST(Requests, ChunkedBodiesAreBodies) {
  LiveRest rest;
  const std::string chunks = "6\r\n{\"revi\r\n10\r\nsion\": \"main\"  }\r\n0\r\n\r\n";
  const RawReply reply =
      test::Exchange(rest.port(),
                     "POST /api/v1/repos/atlas/verifications HTTP/1.1\r\nHost: x\r\nAuthorization: "
                     "Bearer admin-secret\r\n"
                     "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
                         chunks);
  EXPECT_EQ(reply.status, 202) << reply.body;
}

TEST(Requests, HttpOneZeroIsAnsweredAndClosed) {
  LiveRest rest;
  test::RawHttp client(rest.port());
  client.Send("GET /livez HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.Read().status, 200);
  EXPECT_TRUE(client.IsClosed());
}

}  // namespace
}  // namespace emend::api::rest::requests_test
