// Bounds and deadlines of the edge, and its stop.
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "api/rest/route.h"
#include "tests/support/live_rest.h"

namespace emend::api::rest::limits_test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using test::BuildRequest;
using test::FakeService;
using test::LiveRest;
using test::RawHttp;
using test::RawReply;

TEST(Limits, LongHeaders) {
  LiveRest rest;
  const RawReply reply = rest.Ask("GET", "/livez", "", "X: " + std::string(9000, 'x') + "\r\n");
  EXPECT_EQ(reply.status, 431);
  EXPECT_EQ(json::parse(reply.body)["code"], "headers_too_large");
  EXPECT_EQ(rest.Ask("GET", "/livez", "", "X: " + std::string(7000, 'x') + "\r\n").status, 200);
  EXPECT_EQ(rest.Ask("GET", "/" + std::string(20'000, 'a')).status, 431);
}

TEST(Limits, BodiesByTheirRoute) {
  LiveRest rest;
  const std::string big = R"({"revision":")" + std::string(kJsonBytesMax, 'x') + "\"}";
  const RawReply reply = rest.Ask("POST", "/api/v1/repos/atlas/verifications", big);
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(json::parse(reply.body)["code"], "body_too_large");
  EXPECT_EQ(rest.Ask("POST", "/api/v1/repos/atlas/statistics",
                     R"({"lines":[")" + std::string(kJsonBytesMax, 'x') + "\"]}")
                .status,
            202);
}

TEST(Limits, AnnouncedBodiesAreRefusedBeforeTheyCome) {
  LiveRest rest;
  RawHttp client(rest.port());
  client.Send(
      "POST /api/v1/repos/atlas/commits HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
      "admin-secret\r\nContent-Type: application/json\r\nContent-Length: "
      "67108865\r\n\r\n");
  EXPECT_EQ(client.Read().status, 413);
}

TEST(Limits, ChunkedBodiesAreCountedAsTheyCome) {
  LiveRest rest;
  RawHttp client(rest.port());
  client.Send(
      "POST /api/v1/fsck HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
      "admin-secret\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  for (int i = 0; i < 20 && client.Send(chunk); ++i) {
  }
  EXPECT_EQ(client.Read().status, 413);
}

TEST(Limits, RoutesWithoutABodyTakeNone) {
  LiveRest rest;
  EXPECT_EQ(rest.Ask("GET", "/api/v1/repos", "{}").status, 413);
}

TEST(Limits, NobodysBodyIsReadBeforeItsToken) {
  LiveRest rest;
  RawHttp client(rest.port());
  client.Send(
      "POST /api/v1/repos/atlas/commits HTTP/1.1\r\nHost: x\r\nContent-Type: "
      "application/json\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_EQ(client.Read().status, 401);
  client.CloseSending();
  EXPECT_TRUE(client.IsClosed());
}

TEST(Limits, ExpectContinueIsAnsweredWhenTheBodyIsWelcome) {
  LiveRest rest;
  RawHttp client(rest.port());
  client.Send(BuildRequest(
      "POST", "/api/v1/fsck", "",
      "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(client.Read().status, 100);
  client.Send("{}");
  EXPECT_EQ(client.Read().status, 202);
  RawHttp unwelcome(rest.port());
  unwelcome.Send(BuildRequest(
      "POST", "/api/v1/fsck", "",
      "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n", "wrong"));
  EXPECT_EQ(unwelcome.Read().status, 401);
}

TEST(Limits, SlowHeadersAreCut) {
  LiveRest rest({.header_timeout = 200ms});
  RawHttp client(rest.port());
  client.Send("GET /livez HT");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(client.IsClosed());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
}

TEST(Limits, DrippingHeadersDoNotProlongTheirTime) {
  LiveRest rest({.header_timeout = 300ms});
  RawHttp client(rest.port());
  const auto begin = std::chrono::steady_clock::now();
  while (client.Send("X") && std::chrono::steady_clock::now() - begin < 4s)
    std::this_thread::sleep_for(20ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
}

TEST(Limits, IdleConnectionsAreCut) {
  LiveRest rest({.header_timeout = 200ms});
  RawHttp client(rest.port());
  client.Send(BuildRequest("GET", "/livez"));
  EXPECT_EQ(client.Read().status, 200);
  EXPECT_TRUE(client.IsClosed());
}

TEST(Limits, SlowBodiesAreCut) {
  LiveRest rest({.body_timeout = 200ms});
  RawHttp client(rest.port());
  client.Send(BuildRequest("POST", "/api/v1/fsck", "",
                           "Content-Type: application/json\r\nContent-Length: 10\r\n") +
              "{");
  EXPECT_TRUE(client.IsClosed());
  rest.Do([](FakeService& service) { EXPECT_EQ(service.operation_count(), 0U); });
}

TEST(Limits, MoreConnectionsThanTheCapAreToldSo) {
  LiveRest rest({.connections_max = 3, .spare_connections = 0});
  RawHttp one(rest.port());
  RawHttp two(rest.port());
  RawHttp three(rest.port());
  for (RawHttp* client : {&one, &two, &three}) {
    client->Send(BuildRequest("GET", "/livez"));
    EXPECT_EQ(client->Read().status, 200);
  }
  RawHttp four(rest.port());
  const RawReply reply = four.Read();
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(json::parse(reply.body)["code"], "too_many_connections");
  one.Send(BuildRequest("GET", "/livez"));
  EXPECT_EQ(one.Read().status, 200);
}

// Connections that say nothing whole, as many as there may be.
std::vector<std::unique_ptr<RawHttp>> TakeAll(const LiveRest& rest, int count) {
  std::vector<std::unique_ptr<RawHttp>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<RawHttp>(rest.port()));
    clients.back()->Send("GET /livez HTTP/1.1\r\nHost: x\r\nX: ");
  }
  std::this_thread::sleep_for(200ms);  // until all are taken in
  return clients;
}

TEST(Limits, ProbesAndTheCommandLineHavePlacesWhenAllAreTaken) {
  LiveRest rest({.connections_max = 3, .spare_connections = 2});
  const auto clients = TakeAll(rest, 3 + 2 + 4);
  for (const char* path : {"/livez", "/readyz"})
    EXPECT_EQ(rest.Ask("GET", path, "", "", "").status, 200);
  EXPECT_EQ(rest.Ask("GET", "/api/v1/repos").status, 200);
  EXPECT_EQ(rest.Ask("GET", "/api/v1/repos", "", "", "wrong").status, 401);
  const RawReply stream = rest.Ask("POST", "/v1/completions", R"({"model":"atlas","prompt":"a"})");
  EXPECT_EQ(stream.status, 503);
  EXPECT_EQ(json::parse(stream.body)["code"], "too_many_connections");
  EXPECT_EQ(rest.Ask("POST", "/api/v1/fsck?wait=1s", "{}").status, 503);
}

TEST(Limits, EventStreamsHaveABoundAndEachTokenOneOfItsOwn) {
  LiveRest rest({.streams_max = 3, .streams_of_token_max = 2});
  rest.Ask("POST", "/api/v1/fsck", "{}");
  const std::string path = "/api/v1/operations/op-0000000000000001/events";
  std::vector<std::unique_ptr<RawHttp>> open;
  const auto begin = [&](const std::string& token) {
    open.push_back(std::make_unique<RawHttp>(rest.port()));
    open.back()->Send(BuildRequest("GET", path, "", "", token));
    return open.back()->ReadUntil("\r\n\r\n");
  };
  for (int i = 0; i < 2; ++i)
    EXPECT_NE(begin("admin-secret").find("HTTP/1.1 200"), std::string::npos);
  EXPECT_NE(begin("admin-secret").find("HTTP/1.1 429"), std::string::npos);
  EXPECT_NE(begin("reader-secret").find("HTTP/1.1 200"), std::string::npos);
  const RawReply full = rest.Ask("GET", path, "", "", "reader-secret");
  EXPECT_EQ(full.status, 429);
  EXPECT_EQ(json::parse(full.body)["code"], "too_many_streams");
  EXPECT_EQ(rest.Ask("GET", "/api/v1/repos").status, 200) << "what does not stream is served";
}

TEST(Stop, AStreamThatEndsBecauseTheServerStopsSaysSo) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  RawHttp operation(rest.port());
  operation.Send(BuildRequest("GET", "/api/v1/operations/op-0000000000000001/events"));
  operation.ReadUntil("progress");
  RawHttp answer(rest.port());
  answer.Send(
      BuildRequest("POST", "/api/v1/repos/atlas/answers", R"({"prompt":"wait","stream":true})"));
  RawHttp completion(rest.port());
  completion.Send(BuildRequest("POST", "/v1/completions",
                               R"({"model":"atlas","prompt":"wait","stream":true})"));
  completion.ReadUntil("wait");
  answer.ReadUntil("wait");
  rest.Stop();
  for (RawHttp* client : {&operation, &answer, &completion}) {
    const std::string last = client->ReadUntil("\"stopping\"");
    EXPECT_NE(last.find("\"status\":503"), std::string::npos) << last;
  }
}

TEST(Stop, IdleConnectionsCloseAndNoneIsTaken) {
  LiveRest rest;
  RawHttp client(rest.port());
  client.Send(BuildRequest("GET", "/livez"));
  EXPECT_EQ(client.Read().status, 200);
  rest.Stop();
  EXPECT_TRUE(client.IsClosed());
}

TEST(Stop, WaitsAndStreamsEndSoon) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  RawHttp waiting(rest.port());
  waiting.Send(BuildRequest("GET", "/api/v1/operations/op-0000000000000001?wait=60s"));
  RawHttp streaming(rest.port());
  streaming.Send(BuildRequest("GET", "/api/v1/operations/op-0000000000000001/events"));
  streaming.ReadUntil("\n\n");
  const auto begin = std::chrono::steady_clock::now();
  rest.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 4s);
  EXPECT_EQ(waiting.Read().status, 200);
}

TEST(Start, AnAddressInUseIsSaidSo) {
  LiveRest rest;
  auto runtime = NewSystemRuntime(1);
  FakeService service(*runtime);
  auto second =
      NewRestServer(*runtime, service, {.address = "127.0.0.1:" + std::to_string(rest.port())});
  const Status status = second->Start();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.slug(), "address_in_use");
  for (const char* address : {"", "x", "localhost:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999",
                              "127.0.0.1:-1", "1.2.3:4"}) {
    EXPECT_EQ(NewRestServer(*runtime, service, {.address = address})->Start().code(),
              StatusCode::kInvalidArgument)
        << address;
  }
}

}  // namespace
}  // namespace emend::api::rest::limits_test
