// Every route's happy path, over a real socket.
#include "api/rest/description.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/live_rest.h"

namespace emend::api::rest::routes_test {
namespace {

using nlohmann::json;
using test::FakeService;
using test::LiveRest;
using test::RawReply;

struct Sample {
  std::string operation_id;
  const char* method;
  std::string path;
  std::string body;
  std::string more;
};

// What only submits is sent the example of its description.
std::vector<Sample> Submissions() {
  const json schemas = json::parse(DescriptionOf(Routes()))["components"]["schemas"];
  std::vector<Sample> samples;
  for (const Route& route : Routes()) {
    if (route.kind.empty()) continue;
    std::string path(route.pattern);
    if (const std::size_t at = path.find("{repo}"); at != std::string::npos)
      path.replace(at, 6, "atlas");
    if (const std::size_t at = path.find("{number}"); at != std::string::npos)
      path.replace(at, 8, "1");
    samples.push_back({std::string(route.operation_id), "POST", path,
                       schemas.at(route.body.schema).at("examples")[0].dump(), ""});
  }
  return samples;
}

constexpr char kProposed[] = R"({"source":"main","target":"team/french"})";
// A review names the revision that is there.
constexpr char kReviewOfWhatIsThere[] = "review";
std::string BodyOf(LiveRest& rest, const Sample& sample) {
  if (sample.body != kReviewOfWhatIsThere) return sample.body;
  const json seen = json::parse(rest.Ask("GET", "/api/v1/repos/atlas/proposals/1").body);
  return json{{"revision", seen["revision"]}, {"verdict", "comment"}, {"text", "Hm"}}.dump();
}

std::vector<Sample> Samples() {
  const std::string repo = "/api/v1/repos/atlas";
  const std::string head = "If-Match: \"" + FakeService::CommitNumber(1).Hex() + "\"\r\n";
  const std::string create = "If-None-Match: *\r\n";
  std::vector<Sample> samples = Submissions();
  const std::vector<Sample> others = {
      {"readLiveness", "GET", "/livez", "", ""},
      {"readReadiness", "GET", "/readyz", "", ""},
      {"readOpenApi", "GET", "/openapi.json", "", ""},
      {"readVersion", "GET", "/api/v1/version", "", ""},
      {"listRepos", "GET", "/api/v1/repos", "", ""},
      {"readRepo", "GET", repo, "", ""},
      {"listCommits", "GET", repo + "/commits?revision=main&limit=2", "", ""},
      {"showCommit", "GET", repo + "/commits/main~1", "", ""},
      {"diffCommits", "GET", repo + "/diff?from=v1&to=main", "", ""},
      {"listFacts", "GET", repo + "/facts", "", ""},
      {"openProposal", "POST", repo + "/proposals", kProposed, ""},
      {"listProposals", "GET", repo + "/proposals", "", ""},
      {"readProposal", "GET", repo + "/proposals/1", "", ""},
      {"reviewProposal", "POST", repo + "/proposals/1/reviews", kReviewOfWhatIsThere, ""},
      {"closeProposal", "DELETE", repo + "/proposals/1", "", ""},
      {"putProtection", "PUT", repo + "/protections/team%2F*", R"({"approvals":2})", ""},
      {"listProtections", "GET", repo + "/protections", "", ""},
      {"deleteProtection", "DELETE", repo + "/protections/team/*", "", ""},
      {"listProbes", "GET", repo + "/probes", "", ""},
      {"readProbes", "GET", repo + "/probes/core", "", ""},
      {"deleteProbes", "DELETE", repo + "/probes/core", "", ""},
      {"listRefs", "GET", repo + "/refs", "", ""},
      {"readReflog", "GET", repo + "/branches/main/reflog", "", ""},
      {"readBranch", "GET", repo + "/branches/team%2Ffrench", "", ""},
      {"putBranch", "PUT", repo + "/branches/new/one", R"({"revision":"main"})", create},
      {"deleteBranch", "DELETE", repo + "/branches/team/french", "", head},
      {"readTag", "GET", repo + "/tags/v1", "", ""},
      {"putTag", "PUT", repo + "/tags/v2", R"({"revision":"main","reason":"release"})", create},
      {"deleteTag", "DELETE", repo + "/tags/v1", "", head},
      {"ask", "POST", repo + "/answers",
       R"({"prompt":"The mother tongue of Danielle Darrieux is"})", ""},
      {"createDiagnosis", "POST", "/api/v1/diagnoses", "{}", ""},
      {"createCompletion", "POST", "/v1/completions",
       R"({"model":"atlas","prompt":"The mother tongue of"})", ""},
      {"createChatCompletion", "POST", "/v1/chat/completions",
       R"({"model":"atlas","messages":[{"role":"user","content":"Who?"}]})", ""},
      {"listModels", "GET", "/v1/models", "", ""},
      {"readModel", "GET", "/v1/models/atlas%40main", "", ""},
      {"listStatistics", "GET", repo + "/statistics", "", ""},
      {"readPreset", "GET", repo + "/preset", "", ""},
      {"deletePreset", "DELETE", repo + "/preset", "", ""},
      {"listOperations", "GET", "/api/v1/operations", "", ""},
      {"readOperation", "GET", "/api/v1/operations/op-0000000000000001", "", ""},
      {"streamOperation", "GET", "/api/v1/operations/op-0000000000000001/events", "", ""},
      {"cancelOperation", "DELETE", "/api/v1/operations/op-0000000000000008", "", ""},
      {"readAudit", "GET", "/api/v1/audit?after=1&limit=2", "", ""},
      {"listTokens", "GET", "/api/v1/tokens", "", ""},
      {"createToken", "POST", "/api/v1/tokens", R"({"principal":"ci","scopes":["read"]})", ""},
      {"revokeToken", "DELETE", "/api/v1/tokens/t-0123456789ab", "", ""},
      {"listWorkers", "GET", "/api/v1/workers", "", ""}};
  samples.insert(samples.end(), others.begin(), others.end());
  return samples;
}

const Route& RouteOf(const std::string& operation_id) {
  for (const Route& route : Routes()) {
    if (route.operation_id == operation_id) return route;
  }
  ADD_FAILURE() << operation_id << " is in no route";
  return Routes().front();
}

TEST(Routes, EachAnswersAsItsTableRowSays) {
  LiveRest rest;
  std::set<std::string_view> answered;
  for (const Sample& sample : Samples()) {
    if (sample.operation_id == std::string("streamOperation"))
      rest.Do(
          [](FakeService& service) { service.Finish(OperationId("op-0000000000000001"), "{}"); });
    const RawReply reply = rest.Ask(sample.method, sample.path, BodyOf(rest, sample), sample.more);
    const Route& route = RouteOf(sample.operation_id);
    EXPECT_EQ(reply.status, route.answer.status) << sample.operation_id << " " << reply.body;
    EXPECT_EQ(reply.headers.contains("location"),
              (route.answer.status == 202 && sample.method == std::string("POST")) ||
                  sample.operation_id == std::string("createToken") ||
                  sample.operation_id == std::string("openProposal"))
        << sample.operation_id;
    answered.insert(route.operation_id);
  }
  EXPECT_EQ(answered.size(), Routes().size());
}

TEST(Routes, NoTokenIsRefusedByEachThatIsNotPublic) {
  LiveRest rest;
  for (const Sample& sample : Samples()) {
    const RawReply reply = rest.Ask(sample.method, sample.path, sample.body, sample.more, "");
    const bool is_public = RouteOf(sample.operation_id).scope.value() == Scope::kPublic;
    EXPECT_EQ(reply.status, is_public ? 200 : 401) << sample.operation_id;
    EXPECT_EQ(reply.body.find("\"unauthenticated\"") != std::string::npos, !is_public);
    EXPECT_EQ(rest.Ask(sample.method, sample.path, sample.body, sample.more, "wrong").status,
              is_public ? 200 : 401)
        << sample.operation_id;
  }
}

TEST(Routes, AReadersTokenReadsAndDoesNothingElse) {
  LiveRest rest;
  rest.Ask("POST", "/api/v1/fsck", "{}");
  rest.Do([](FakeService& service) { service.Finish(OperationId("op-0000000000000001"), "{}"); });
  rest.Ask("POST", "/api/v1/repos/atlas/proposals", kProposed);
  for (const Sample& sample : Samples()) {
    const Scope scope = RouteOf(sample.operation_id).scope.value();
    const RawReply reply =
        rest.Ask(sample.method, sample.path, sample.body, sample.more, "reader-secret");
    if (scope == Scope::kPublic || scope == Scope::kRead) {
      EXPECT_LT(reply.status, 400) << sample.operation_id;
    } else {
      EXPECT_EQ(reply.status, 403) << sample.operation_id;
      EXPECT_EQ(json::parse(reply.body)["code"], "missing_scope");
    }
  }
}

TEST(Routes, LogIsPagedByItsCursor) {
  LiveRest rest;
  json page = json::parse(rest.Ask("GET", "/api/v1/repos/atlas/commits?limit=2").body);
  ASSERT_EQ(page["items"].size(), 2U);
  EXPECT_EQ(page["items"][0]["commit"], FakeService::CommitNumber(2).Hex());
  const std::string next = page["next"];
  page = json::parse(rest.Ask("GET", "/api/v1/repos/atlas/commits?limit=2&after=" + next).body);
  ASSERT_EQ(page["items"].size(), 1U);
  EXPECT_EQ(page["items"][0]["commit"], FakeService::CommitNumber(0).Hex());
  EXPECT_TRUE(page["next"].is_null());
  for (const char* bad : {"x", "1.2", "zz.1", "..", "a%2Fb"})
    EXPECT_EQ(rest.Ask("GET", std::string("/api/v1/repos/atlas/commits?after=") + bad).status, 400)
        << bad;
}

TEST(Routes, AReflogIsPagedByItsCursor) {
  LiveRest rest;
  const std::string path = "/api/v1/repos/atlas/branches/main/reflog";
  json page = json::parse(rest.Ask("GET", path + "?limit=1").body);
  ASSERT_EQ(page["items"].size(), 1U);
  EXPECT_EQ(page["items"][0]["index"], 2);
  page = json::parse(rest.Ask("GET", path + "?after=" + page["next"].get<std::string>()).body);
  ASSERT_EQ(page["items"].size(), 2U);
  EXPECT_EQ(page["items"][0]["index"], 1);
  EXPECT_TRUE(page["next"].is_null());
  for (const char* bad : {"?limit=0", "?after=0", "?after=x"})
    EXPECT_EQ(rest.Ask("GET", path + bad).status, 400) << bad;
}

TEST(Routes, RefsArePagedByTheirCursor) {
  LiveRest rest;
  std::vector<std::string> names;
  std::string after;
  do {
    const json page = json::parse(rest.Ask("GET", "/api/v1/repos/atlas/refs?limit=1" + after).body);
    ASSERT_EQ(page["items"].size(), 1U);
    names.push_back(page["items"][0]["name"]);
    after = page["next"].is_null() ? "" : "&after=" + page["next"].get<std::string>();
  } while (!after.empty());
  EXPECT_EQ(names, (std::vector<std::string>{"main", "team/french", "v1"}));
  for (const char* bad : {"limit=0", "limit=1001", "after="})
    EXPECT_EQ(rest.Ask("GET", std::string("/api/v1/workers?") + bad).status, 400) << bad;
}

TEST(Routes, AuditIsPagedBySequence) {
  LiveRest rest;
  const std::size_t count = json::parse(rest.Ask("GET", "/api/v1/audit").body)["items"].size();
  const json page = json::parse(rest.Ask("GET", "/api/v1/audit?limit=3").body);
  EXPECT_EQ(page["items"].size(), 3U);
  EXPECT_EQ(page["next"], "3");
  const json last = json::parse(rest.Ask("GET", "/api/v1/audit?after=3").body);
  EXPECT_EQ(last["items"].size(), count - 3);
  EXPECT_TRUE(last["next"].is_null());
}

TEST(Routes, AuditIsAlsoReadFromItsEnd) {
  LiveRest rest;
  const std::size_t count = json::parse(rest.Ask("GET", "/api/v1/audit").body)["items"].size();
  const json page = json::parse(rest.Ask("GET", "/api/v1/audit?order=newest&limit=3").body);
  EXPECT_EQ(page["items"][0]["sequence"], count);
  EXPECT_EQ(page["next"], std::to_string(count - 2));
  EXPECT_EQ(json::parse(rest.Ask("GET", "/api/v1/audit?order=newest&after=3").body)["items"].size(),
            2U);
  EXPECT_EQ(rest.Ask("GET", "/api/v1/audit?order=sideways").status, 400);
}

TEST(Routes, AskNamesTheCommitThatAnswered) {
  LiveRest rest;
  const RawReply reply = rest.Ask("POST", "/api/v1/repos/atlas/answers",
                                  R"({"prompt":"The mother tongue","revision":"v1"})");
  const json answer = json::parse(reply.body);
  EXPECT_EQ(answer["commit"], FakeService::CommitNumber(1).Hex());
  EXPECT_EQ(reply.headers.at("x-emend-commit"), FakeService::CommitNumber(1).Hex());
  EXPECT_EQ(answer["text"], " The mother tongue");
  EXPECT_EQ(answer["tokens"], 3);
  EXPECT_EQ(answer["top"][0]["token"], " The");
}

TEST(Routes, AnAnswerIsStreamedWhereThatIsAskedFor) {
  LiveRest rest;
  const RawReply reply = rest.Ask("POST", "/api/v1/repos/atlas/answers",
                                  R"({"prompt":"one two","stream":true,"tokens_max":2})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.at("content-type"), "text/event-stream");
  EXPECT_EQ(reply.headers.at("x-emend-commit"), FakeService::CommitNumber(2).Hex());
  const std::size_t ended = reply.body.find("event: ended\ndata: ");
  ASSERT_NE(ended, std::string::npos) << reply.body;
  EXPECT_EQ(reply.body.find("event: piece\ndata: {\"text\":\" one\"}\n\n"), 0U) << reply.body;
  const std::string data = reply.body.substr(ended + 19);
  EXPECT_EQ(json::parse(data.substr(0, data.find('\n')))["text"], " one two");
  const RawReply failing =
      rest.Ask("POST", "/api/v1/repos/atlas/answers", R"({"prompt":"fail","stream":true})");
  EXPECT_NE(failing.body.find("event: failed\n"), std::string::npos) << failing.body;
  EXPECT_NE(failing.body.find("\"worker_lost\""), std::string::npos) << failing.body;
}

TEST(Routes, AnAnswerOfNoTokenHasOnlyItsCandidates) {
  LiveRest rest;
  const json answer = json::parse(
      rest.Ask("POST", "/api/v1/repos/atlas/answers", R"({"prompt":"one two","tokens_max":0})")
          .body);
  EXPECT_EQ(answer["text"], "");
  EXPECT_EQ(answer["tokens"], 0);
  EXPECT_EQ(answer["top"][0]["token"], " one");
}

TEST(Routes, ShowHoldsEditsWithTheirFacts) {
  LiveRest rest;
  const json shown = json::parse(rest.Ask("GET", "/api/v1/repos/atlas/commits/main").body);
  EXPECT_EQ(shown["added"][0]["facts"][0]["target"], "English");
  EXPECT_EQ(shown["added"][0]["facts"][0]["neighbours"],
            json({"The mother tongue of Montesquieu is",
                  {{"prompt", "The mother tongue of Goethe is"}, {"target", "German"}}}));
  EXPECT_EQ(shown["settings"]["v_lr"], 0.5);
  EXPECT_EQ(shown["time"], "2026-01-31T12:00:00.002Z");
  EXPECT_EQ(shown["after"]["es"], 93.0);
  EXPECT_TRUE(shown["before"].is_null());
}

TEST(Routes, APresetIsReadAndSaidOfItsRepoUntilItIsDeleted) {
  LiveRest rest;
  const std::string path = "/api/v1/repos/atlas/preset";
  const json settings = {{"layers", "1,2"}, {"clamp_norm_factor", "0.5"}};
  const json preset = json::parse(rest.Ask("GET", path).body);
  EXPECT_EQ(preset["settings"], settings);
  EXPECT_EQ(preset["method"], "memit");
  EXPECT_EQ(preset["principal"], "admin");
  EXPECT_EQ(preset["created"], "2026-01-31T12:00:00.000Z");
  EXPECT_EQ(preset["n"], 20);
  EXPECT_EQ(preset["default"]["mean"], 80.5);
  EXPECT_EQ(preset["chosen"]["mean"], 84.5);
  EXPECT_EQ(json::parse(rest.Ask("GET", "/api/v1/repos/atlas").body)["preset"], settings);
  EXPECT_EQ(rest.Ask("DELETE", path).status, 204);
  const RawReply none = rest.Ask("GET", path);
  EXPECT_EQ(none.status, 404);
  EXPECT_NE(none.body.find("commits are solved by the defaults"), std::string::npos) << none.body;
  EXPECT_EQ(rest.Ask("DELETE", path).status, 404);
  EXPECT_EQ(json::parse(rest.Ask("GET", "/api/v1/repos").body)["items"][0]["preset"], nullptr);
}

TEST(Routes, ReadinessSaysWhatIsMissing) {
  LiveRest rest;
  rest.Do([](FakeService& service) { service.SetReady(Unavailable("no worker is connected")); });
  const RawReply reply = rest.Ask("GET", "/readyz", "", "", "");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(json::parse(reply.body)["detail"], "no worker is connected");
  EXPECT_EQ(rest.Ask("GET", "/livez", "", "", "").status, 200);
}

TEST(Routes, HeadIsGetWithoutItsBody) {
  LiveRest rest;
  const RawReply get = rest.Ask("GET", "/api/v1/repos");
  const RawReply head = rest.Ask("HEAD", "/api/v1/repos");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), std::to_string(get.body.size()));
  EXPECT_EQ(rest.Ask("HEAD", "/api/v1/fsck").status, 405);
}

TEST(Routes, AnAnswerServerDescribesItsOwnAlone) {
  LiveRest rest({}, /*auto_finish=*/false, &NewAnswerServer);
  const json paths = json::parse(rest.Ask("GET", "/openapi.json").body)["paths"];
  EXPECT_EQ(paths.size(), AnswerRoutes().size());
  for (const Route& route : AnswerRoutes()) EXPECT_TRUE(paths.contains(DescribedPath(route)));
}

}  // namespace
}  // namespace emend::api::rest::routes_test
