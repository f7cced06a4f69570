#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "tests/support/live_rest.h"

namespace emend::api::rest::operations_test {
namespace {

using nlohmann::json;
using test::FakeService;
using test::LiveRest;
using test::RawHttp;
using test::RawReply;

const OperationId kFirst("op-0000000000000001");
const std::string kPath = "/api/v1/operations/op-0000000000000001";

double Seconds(const std::function<void()>& act) {
  const auto begin = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TEST(Operations, SubmittingGivesTheirLocation) {
  LiveRest rest;
  const RawReply reply =
      rest.Ask("POST", "/api/v1/repos/atlas/verifications", R"({"revision":"main"})");
  EXPECT_EQ(reply.status, 202);
  EXPECT_EQ(reply.headers.at("location"), kPath);
  const json operation = json::parse(reply.body);
  EXPECT_EQ(operation["state"], "accepted");
  EXPECT_EQ(operation["kind"], "verify");
  EXPECT_TRUE(operation["result"].is_null());
}

TEST(Operations, EverySubmissionTakesAPriorityAndATimeout) {
  LiveRest rest;
  const std::vector<std::pair<std::string, std::string>> submissions = {
      {"/api/v1/repos", R"({"name":"fresh","model":"/m"})"},
      {"/api/v1/repos/atlas/commits", "{}"},
      {"/api/v1/repos/atlas/reverts", "{}"},
      {"/api/v1/repos/atlas/evaluations", "{}"},
      {"/api/v1/repos/atlas/verifications", "{}"},
      {"/api/v1/repos/atlas/exports", "{}"},
      {"/api/v1/repos/atlas/statistics", "{}"},
      {"/api/v1/fsck", "{}"}};
  for (const auto& [path, body] : submissions) {
    EXPECT_EQ(rest.Ask("POST", path + "?priority=batch&timeout=600", body).status, 202) << path;
    rest.Do([](FakeService& service) {
      EXPECT_EQ(service.last_submission().priority, storage::records::Priority::kBatch);
      EXPECT_EQ(service.last_submission().timeout, std::chrono::seconds(600));
    });
  }
  rest.Ask("POST", "/api/v1/fsck", "{}");
  rest.Do([](FakeService& service) {
    EXPECT_EQ(service.last_submission().priority, storage::records::Priority::kNormal);
    EXPECT_EQ(service.last_submission().timeout, std::chrono::seconds(0));
  });
}

TEST(Operations, AWaitingOneShowsItsPlaceItsPriorityAndItsDeadline) {
  LiveRest rest;
  json operation =
      json::parse(rest.Ask("POST", "/api/v1/fsck?priority=interactive&timeout=90", "{}").body);
  EXPECT_EQ(operation["priority"], "interactive");
  EXPECT_EQ(operation["deadline"], "2026-01-31T12:01:30.000Z");
  EXPECT_EQ(operation["position"], 0);
  operation = json::parse(rest.Ask("POST", "/api/v1/fsck", "{}").body);
  EXPECT_EQ(operation["priority"], "normal");
  EXPECT_TRUE(operation["deadline"].is_null());
  rest.Do([](FakeService& service) { service.Progress(kFirst, "targets", 1, 2); });
  EXPECT_TRUE(json::parse(rest.Ask("GET", kPath).body)["position"].is_null());
}

TEST(Operations, ImportTakesTheRepoFromItsBody) {
  LiveRest rest;
  EXPECT_EQ(
      rest.Ask("POST", "/api/v1/repos", R"({"name":"fresh","model":"/m","message":"hi"})").status,
      202);
  rest.Do([](FakeService& service) {
    EXPECT_EQ(service.last_submission().repo.value(), "fresh");
    EXPECT_EQ(service.last_submission().kind, "import");
    EXPECT_EQ(json::parse(service.last_submission().body),
              json::parse(R"({"model":"/m","message":"hi"})"));
  });
}

TEST(Operations, AnEmptyIdempotencyKeyIsRefused) {
  LiveRest rest;
  for (const char* header : {"Idempotency-Key:\r\n", "Idempotency-Key: \"\"\r\n"}) {
    EXPECT_EQ(rest.Ask("POST", "/api/v1/fsck", "{}", header).status, 400) << header;
  }
}

TEST(Operations, WaitEndsWithTheOperation) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  std::thread ender([&rest] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    rest.Do([](FakeService& service) { service.Finish(kFirst, R"({"ok":true})"); });
  });
  RawReply reply;
  EXPECT_LT(Seconds([&] { reply = rest.Ask("GET", kPath + "?wait=30s"); }), 4);
  ender.join();
  EXPECT_EQ(json::parse(reply.body)["state"], "succeeded");
  EXPECT_EQ(json::parse(reply.body)["result"]["ok"], true);
}

TEST(Operations, WaitEndsAtItsTime) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  RawReply reply;
  const double seconds = Seconds([&] { reply = rest.Ask("GET", kPath + "?wait=200ms"); });
  EXPECT_GE(seconds, 0.2);
  EXPECT_LT(seconds, 3);
  EXPECT_EQ(json::parse(reply.body)["state"], "accepted");
}

TEST(Operations, SubmitMayWaitToo) {
  LiveRest rest({}, /*auto_finish=*/true);
  const RawReply reply = rest.Ask("POST", "/api/v1/fsck?wait=30s", "{}");
  EXPECT_EQ(reply.status, 202);
  EXPECT_EQ(json::parse(reply.body)["state"], "succeeded");
}

TEST(Operations, FailureCarriesItsProblem) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  rest.Do([](FakeService& service) {
    service.Fail(kFirst, {StatusCode::kUnavailable, "worker_lost", "the worker went away"});
  });
  const json operation = json::parse(rest.Ask("GET", kPath).body);
  EXPECT_EQ(operation["state"], "failed");
  EXPECT_EQ(operation["error"]["code"], "worker_lost");
  EXPECT_EQ(operation["error"]["category"], "unavailable");
  EXPECT_EQ(operation["error"]["status"], 503);
}

TEST(Operations, TheSameKeyIsTheSameOperation) {
  LiveRest rest;
  const std::string key = "Idempotency-Key: \"abc\"\r\n";
  const RawReply first =
      rest.Ask("POST", "/api/v1/repos/atlas/verifications", R"({"revision":"main"})", key);
  const RawReply again = rest.Ask("POST", "/api/v1/repos/atlas/verifications",
                                  R"({"revision":"main"})", "Idempotency-Key: abc\r\n");
  EXPECT_EQ(again.status, 202);
  EXPECT_EQ(again.headers.at("location"), first.headers.at("location"));
  rest.Do([](FakeService& service) { EXPECT_EQ(service.operation_count(), 1U); });
}

TEST(Operations, TheSameKeyWithAnotherRequestIsRefused) {
  LiveRest rest;
  const std::string key = "Idempotency-Key: abc\r\n";
  rest.Ask("POST", "/api/v1/repos/atlas/verifications", R"({"revision":"main"})", key);
  for (const auto& [path, body] :
       {std::pair{"/api/v1/repos/atlas/verifications", R"({"revision":"v1"})"},
        std::pair{"/api/v1/fsck", R"({"revision":"main"})"}}) {
    const RawReply reply = rest.Ask("POST", path, body, key);
    EXPECT_EQ(reply.status, 422);
    EXPECT_EQ(json::parse(reply.body)["code"], "idempotency_mismatch");
  }
  EXPECT_EQ(
      rest.Ask("POST", "/api/v1/fsck", "{}", "Idempotency-Key: " + std::string(200, 'k') + "\r\n")
          .status,
      400);
}

TEST(Operations, ListIsNewestFirstAndPaged) {
  LiveRest rest;
  for (int i = 0; i < 5; ++i) rest.Ask("POST", "/api/v1/fsck", "{}");
  const json page = json::parse(rest.Ask("GET", "/api/v1/operations?limit=2").body);
  EXPECT_EQ(page["items"][0]["id"], "op-0000000000000005");
  EXPECT_EQ(page["next"], "op-0000000000000004");
  const json rest_of_it =
      json::parse(rest.Ask("GET", "/api/v1/operations?after=op-0000000000000004").body);
  EXPECT_EQ(rest_of_it["items"].size(), 3U);
  EXPECT_TRUE(rest_of_it["next"].is_null());
}

TEST(Operations, CancelEndsOnce) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  EXPECT_EQ(json::parse(rest.Ask("DELETE", kPath).body)["state"], "cancelled");
  const RawReply again = rest.Ask("DELETE", kPath);
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(json::parse(again.body)["code"], "operation_ended");
  EXPECT_EQ(rest.Ask("DELETE", "/api/v1/operations/op-9").status, 404);
}

TEST(Events, ComeAsTheyHappenUntilTheEnd) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  RawHttp client(rest.port());
  client.Send(test::BuildRequest("GET", kPath + "/events"));
  EXPECT_NE(client.ReadUntil("\r\n\r\n").find("text/event-stream"), std::string::npos);
  EXPECT_NE(client.ReadUntil("\n\n").find("id: 1\nevent: progress\ndata: {"), std::string::npos);
  rest.Do([](FakeService& service) { service.Progress(kFirst, "targets", 3, 10); });
  const std::string progress = client.ReadUntil("\n\n");
  EXPECT_NE(progress.find("id: 2\n"), std::string::npos);
  EXPECT_NE(progress.find("\"phase\":\"targets\""), std::string::npos);
  rest.Do([](FakeService& service) { service.Finish(kFirst, "{}"); });
  EXPECT_NE(client.ReadUntil("\n\n").find("id: 3\nevent: ended\n"), std::string::npos);
  EXPECT_NE(client.ReadAll().find("0\r\n\r\n"), std::string::npos);
}

TEST(Events, ResumeBehindTheLastOneSeen) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  rest.Do([](FakeService& service) { service.Progress(kFirst, "one", 1, 10); });
  RawHttp client(rest.port());
  client.Send(test::BuildRequest("GET", kPath + "/events", "", "Last-Event-ID: 2\r\n"));
  client.ReadUntil("\r\n\r\n");
  rest.Do([](FakeService& service) { service.Progress(kFirst, "two", 2, 10); });
  EXPECT_NE(client.ReadUntil("\n\n").find("id: 3\n"), std::string::npos);
}

TEST(Events, ResumeOfAnEarlierProcessBeginsAnew) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  for (const char* id : {"99", "x", "-1", "99999999999999999999999"}) {
    RawHttp client(rest.port());
    client.Send(test::BuildRequest("GET", kPath + "/events", "",
                                   std::string("Last-Event-ID: ") + id + "\r\n"));
    client.ReadUntil("\r\n\r\n");
    EXPECT_NE(client.ReadUntil("\n\n").find("id: 1\n"), std::string::npos) << id;
  }
}

TEST(Events, OfAnEndedOperationAreOneAndTheEnd) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  rest.Do([](FakeService& service) { service.Finish(kFirst, "{}"); });
  const RawReply reply = rest.Ask("GET", kPath + "/events");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.body.starts_with("id: 2\nevent: ended\n")) << reply.body;
  EXPECT_EQ(rest.Ask("GET", "/api/v1/operations/op-9/events").status, 404);
}

}  // namespace
}  // namespace emend::api::rest::operations_test
