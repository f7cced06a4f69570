// Hundreds of malformed requests against the edge: each gets a clear refusal or a closed
// connection, never a success, and the server goes on.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/live_rest.h"

namespace emend::api::rest::http_test {
namespace {

using test::LiveRest;
using test::RawHttp;
using test::RawReply;

const std::string kAuth = "Host: x\r\nAuthorization: Bearer admin-secret\r\n";
const std::string kJson = "Content-Type: application/json\r\n";

void ExpectRefused(LiveRest& rest, const std::string& bytes) {
  RawHttp client(rest.port());
  client.Send(bytes);
  client.CloseSending();
  RawReply reply = client.Read();
  ASSERT_GE(reply.status, 400) << testing::PrintToString(bytes.substr(0, 200));
  EXPECT_NE(reply.status, 500) << testing::PrintToString(bytes.substr(0, 200));
  ASSERT_EQ(reply.headers["content-type"], "application/problem+json");
  EXPECT_FALSE(nlohmann::json::parse(reply.body).at("code").get<std::string>().empty());
}

void ExpectAlive(LiveRest& rest) { ASSERT_EQ(rest.Ask("GET", "/livez").status, 200); }

std::vector<std::string> RequestLines() {
  std::vector<std::string> lines;
  for (const char* line : {"",
                           " ",
                           "GET",
                           "GET ",
                           "GET /",
                           "GET  /livez HTTP/1.1",
                           "GET /livez",
                           "GET /livez HTTP",
                           "GET /livez HTTP/",
                           "GET /livez HTTP/1",
                           "GET /livez HTTP/1.",
                           "GET /livez HTTP/1.2",
                           "GET /livez HTTP/0.9",
                           "GET /livez HTTP/2.0",
                           "GET /livez HTTP/9.9",
                           "GET /livez HTTP/11",
                           "GET /livez HTTP/1.1x",
                           "GET /livez http/1.1",
                           "GET\t/livez\tHTTP/1.1",
                           " GET /livez HTTP/1.1",
                           "GET /livez HTTP/1.1 ",
                           "GET /livez /livez HTTP/1.1",
                           "G\x01T /livez HTTP/1.1",
                           "G(T /livez HTTP/1.1",
                           "GET /li\x01vez HTTP/1.1",
                           "GET /li\x7fvez HTTP/1.1",
                           "get /livez HTTP/1.1",
                           "GET livez HTTP/1.1",
                           "GET * HTTP/1.1",
                           "OPTIONS * HTTP/1.1",
                           "GET http://x/livez HTTP/1.1",
                           "GET x:80 HTTP/1.1",
                           "CONNECT x:80 HTTP/1.1",
                           "GET /livez#x HTTP/1.1",
                           "GET /% HTTP/1.1",
                           "GET /%2 HTTP/1.1",
                           "GET /%zz HTTP/1.1",
                           "GET /%00 HTTP/1.1",
                           "GET /%0d%0aX:%20y HTTP/1.1",
                           "GET /%ff HTTP/1.1",
                           "GET /%c0%ae HTTP/1.1",
                           "GET /../livez HTTP/1.1",
                           "GET /%2e%2e/livez HTTP/1.1",
                           "GET /./livez HTTP/1.1",
                           "GET /livez/ HTTP/1.1",
                           "GET //livez HTTP/1.1",
                           "GET /livez?a HTTP/1.1",
                           "GET /livez?a=1&a=2 HTTP/1.1",
                           "GET /livez?%00 HTTP/1.1",
                           "GET /livez? =1 HTTP/1.1",
                           "GET /livez\xff HTTP/1.1",
                           "PRI * HTTP/2.0",
                           "BREW /livez HTTP/1.1",
                           "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                           "{\"a\":1}"}) {
    lines.emplace_back(line);
  }
  return lines;
}

TEST(HttpFuzz, RequestLines) {
  LiveRest rest;
  for (const std::string& line : RequestLines())
    ExpectRefused(rest, line + "\r\n" + kAuth + "\r\n");
  for (const std::string& line : RequestLines()) ExpectRefused(rest, line + "\n" + kAuth + "\n");
  ExpectRefused(rest, std::string("GET /li") + '\0' + "vez HTTP/1.1\r\nHost: x\r\n\r\n");
  ExpectAlive(rest);
}

TEST(HttpFuzz, HeaderFields) {
  LiveRest rest;
  for (const char* field : {"X",
                            "X y",
                            ": y",
                            " : y",
                            "X : y",
                            "X\t: y",
                            " X: y",
                            "X:\x01y",
                            "X: a\x7f"
                            "b",
                            "X(: y",
                            "X@: y",
                            "\xff: y",
                            "X: y\r\nX",
                            "X: y\nY: z\rZ",
                            "X: \ry",
                            "X: a\nb",
                            "Host: y",
                            "Authorization: Bearer reader-secret",
                            "Content-Length: 1\r\nContent-Length: 2",
                            "Content-Length: 0\r\nContent-Length: 0",
                            "Content-Length: -1",
                            "Content-Length: +1",
                            "Content-Length: 1 2",
                            "Content-Length: 0x1",
                            "Content-Length: 1e3",
                            "Content-Length: ",
                            "Content-Length: abc",
                            "Content-Length: 18446744073709551616",
                            "Content-Length: 99999999999999999999999",
                            "Content-Length: 1,1",
                            "Content-Length: 1, 2",
                            "Content-Length: 1;",
                            "Content-Length: 18446744073709551615",
                            "Content-Length: 9223372036854775808",
                            "Transfer-Encoding: xchunked",
                            "Transfer-Encoding: chunkedx",
                            "Transfer-Encoding: chunked, chunked",
                            "Transfer-Encoding: gzip, chunked",
                            "Transfer-Encoding: chunked, gzip",
                            "Transfer-Encoding: identity",
                            "Transfer-Encoding: ",
                            "Transfer-Encoding: \"chunked\"",
                            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
                            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
                            "Content-Length: 4\r\nTransfer-Encoding: chunked",
                            "Transfer-Encoding: chunked\r\nContent-Length: 4",
                            "Transfer-Encoding : chunked",
                            "Transfer_Encoding: chunked\r\nContent-Length: 5000000000",
                            "Connection: \x01"}) {
    ExpectRefused(rest,
                  "POST /api/v1/fsck HTTP/1.1\r\n" + kAuth + kJson + field + "\r\n\r\n0\r\n\r\n");
  }
  ExpectRefused(rest, "GET /livez HTTP/1.1\r\n\r\n");
  ExpectRefused(rest,
                "GET /livez HTTP/1.1\r\nHost: x\r\nX: " + std::string(100'000, 'y') + "\r\n\r\n");
  ExpectRefused(rest,
                "GET /livez HTTP/1.1\r\nHost: x\r\n" + std::string(100'000, 'y') + ": z\r\n\r\n");
  std::string many = "GET /livez HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 5000; ++i) many += "X" + std::to_string(i) + ": y\r\n";
  ExpectRefused(rest, many + "\r\n");
  ExpectAlive(rest);
}

TEST(HttpFuzz, Chunks) {
  LiveRest rest;
  const std::string head =
      "POST /api/v1/fsck HTTP/1.1\r\n" + kAuth + kJson + "Transfer-Encoding: chunked\r\n\r\n";
  for (const char* chunks : {"-1\r\n{}\r\n0\r\n\r\n",
                             "-2\r\n",
                             "+2\r\n{}\r\n0\r\n\r\n",
                             "0x2\r\n{}\r\n0\r\n\r\n",
                             "2 \r\n{}\r\n0\r\n\r\n",
                             " 2\r\n{}\r\n0\r\n\r\n",
                             "g\r\n{}\r\n0\r\n\r\n",
                             "\r\n{}\r\n0\r\n\r\n",
                             "2\n{}\n0\n\n",
                             "2\r\n{}0\r\n\r\n",
                             "2\r\n{}x\r\n0\r\n\r\n",
                             "3\r\n{}\r\n0\r\n\r\n",
                             "1\r\n{}\r\n0\r\n\r\n",
                             "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
                             "fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
                             "7fffffffffffffff\r\n{}\r\n",
                             "80000000\r\n{}",
                             "0000000000000000000000000000000000002\r\n",
                             "2",
                             "2\r\n{",
                             "2\r\n{}\r\n",
                             "2\r\n{}\r\n0\r\n",
                             "2\r\n{}\r\n0\r\nX\r\n\r\n",
                             "2\r\n{}\r\n0\r\nX : y\r\n\r\n",
                             "2;\x01=y\r\n{}\r\n0\r\n\r\n",
                             "2\r\n{}\r\n00g\r\n\r\n",
                             "0\r\n\r\n",
                             "5000000\r\n",
                             "\xff\r\n",
                             "2\r{}\r0\r\r"}) {
    ExpectRefused(rest, head + chunks);
  }
  ExpectRefused(rest, head + std::string(200'000, '0') + "2\r\n{}\r\n0\r\n\r\n");
  ExpectRefused(rest, head + "2;" + std::string(200'000, 'x') + "\r\n{}\r\n0\r\n\r\n");
  ExpectAlive(rest);
}

// What two parsers in a row could read as two requests or as one: the second part is never answered
// as a request of its own with success.
TEST(HttpFuzz, SmuggledRequests) {
  LiveRest rest;
  const std::string inner = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const std::string& framing : std::vector<std::string>{
           "Content-Length: 5\r\nTransfer-Encoding: chunked",
           "Transfer-Encoding: chunked\r\nContent-Length: 5",
           "Content-Length: 0\r\nContent-Length: 40", "Transfer-Encoding: xchunked",
           "Transfer-Encoding: chunked, identity",
           "Transfer-Encoding:\x0b"
           "chunked",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
           "X: y\r\n Transfer-Encoding: chunked", "Content-Length: 0 40", "Content-Length: 5,40"}) {
    RawHttp client(rest.port());
    client.Send("POST /api/v1/fsck HTTP/1.1\r\n" + kAuth + kJson + framing + "\r\n\r\n0\r\n\r\n" +
                inner);
    client.CloseSending();
    const std::string all = client.ReadAll();
    EXPECT_EQ(all.find("HTTP/1.1 200"), std::string::npos) << framing << "\n" << all;
    EXPECT_EQ(all.find("HTTP/1.1 202"), std::string::npos) << framing << "\n" << all;
  }
  ExpectAlive(rest);
}

TEST(HttpFuzz, UserTextNeverReachesAHeader) {
  LiveRest rest;
  for (const char* path : {"/api/v1/repos/x%0d%0aSet-Cookie:%20a=b", "/api/v1/operations/%0aX",
                           "/api/v1/repos/atlas/commits/%0d%0a"}) {
    const RawReply reply = rest.Ask("GET", path);
    EXPECT_EQ(reply.status, 400);
    EXPECT_FALSE(reply.headers.contains("set-cookie"));
  }
}

TEST(HttpFuzz, TruncatedRequests) {
  LiveRest rest;
  const std::string whole =
      test::BuildRequest("POST", "/api/v1/repos/atlas/verifications", R"({"revision":"main"})");
  for (std::size_t length = 1; length < whole.size(); length += 3)
    ExpectRefused(rest, whole.substr(0, length));
  ExpectAlive(rest);
}

// Valid requests with bytes changed, removed, doubled: whatever comes of it, no 5xx and the server
// lives. The seed is fixed; it is printed on failure.
TEST(HttpFuzz, MutatedRequests) {
  LiveRest rest;
  constexpr unsigned kSeed = 20260131;
  std::mt19937 random(kSeed);
  const std::string whole =
      test::BuildRequest("POST", "/api/v1/repos/atlas/answers?",
                         R"({"revision":"main","prompt":"x","tokens_max":3})", "X-Other: y\r\n");
  for (int round = 0; round < 400; ++round) {
    std::string bytes = whole;
    for (unsigned change = random() % 4 + 1; change > 0; --change) {
      const std::size_t at = random() % bytes.size();
      const unsigned kind = random() % 3;
      if (kind == 0) bytes[at] = static_cast<char>(random());
      if (kind == 1) bytes.erase(at, random() % 4 + 1);
      if (kind == 2) bytes.insert(at, bytes.substr(at, random() % 8));
    }
    RawHttp client(rest.port());
    client.Send(bytes);
    client.CloseSending();
    EXPECT_LT(client.Read().status, 500 + 6) << "seed " << kSeed << " round " << round;
  }
  ExpectAlive(rest);
}

TEST(HttpFuzz, ManyHalfOpenConnectionsLeaveRoomForOthers) {
  LiveRest rest({.header_timeout = std::chrono::milliseconds(300)});
  std::vector<std::unique_ptr<RawHttp>> half_open;
  for (int i = 0; i < 250; ++i) {
    half_open.push_back(std::make_unique<RawHttp>(rest.port()));
    half_open.back()->Send("GET /li");
  }
  ExpectAlive(rest);
}

}  // namespace
}  // namespace emend::api::rest::http_test
