// Rules of protection, proposals and reviews over HTTP.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/live_rest.h"

namespace emend::api::rest::review_test {
namespace {

using nlohmann::json;
using test::FakeService;
using test::LiveRest;
using test::RawReply;

const std::string kRepoPath = "/api/v1/repos/atlas";
const std::string kProposals = kRepoPath + "/proposals";
const std::string kWanted =
    R"({"source":"main","target":"team/french","title":"For the French","text":"They asked"})";

json Body(const RawReply& reply, int status) {
  EXPECT_EQ(reply.status, status) << reply.body;
  return json::parse(reply.body);
}

TEST(Protections, ARuleIsPutListedBoundAndTakenAway) {
  LiveRest rest;
  const std::string rule = kRepoPath + "/protections/team%2F*";
  const json put = Body(rest.Ask("PUT", rule, R"({"approvals":2,"require":{"taken":90}})"), 200);
  EXPECT_EQ(put["pattern"], "team/*");
  EXPECT_EQ(put["require"], json({{"taken", 90.0}}));
  EXPECT_EQ(put["principal"], "admin");
  EXPECT_EQ(Body(rest.Ask("GET", kRepoPath + "/protections"), 200)["items"].size(), 1U);

  const RawReply moved =
      rest.Ask("PUT", kRepoPath + "/branches/team/french", R"({"revision":"main"})",
               "If-Match: \"" + FakeService::CommitNumber(1).Hex() + "\"\r\n");
  EXPECT_EQ(Body(moved, 403)["code"], "protected_branch");
  EXPECT_EQ(rest.Ask("DELETE", rule).status, 204);
  EXPECT_EQ(rest.Ask("DELETE", rule).status, 404);
  EXPECT_EQ(rest.Ask("PUT", rule, "{}", "", "reader-secret").status, 403);
}

TEST(Protections, WhatIsNoRuleIsRefusedByItsPointer) {
  LiveRest rest;
  const std::string rule = kRepoPath + "/protections/main";
  for (const auto& [body, pointer] : {std::pair(R"({"approvals":11})", "/approvals"),
                                      {R"({"require":{"taken":101}})", "/require/taken"},
                                      {R"({"require":{"beauty":50}})", "/require/beauty"},
                                      {R"({"require":[]})", "/require"},
                                      {R"({"reviewers":1})", "/reviewers"}}) {
    const RawReply reply = rest.Ask("PUT", rule, body);
    EXPECT_EQ(reply.status, 422) << body;
    EXPECT_NE(reply.body.find(pointer), std::string::npos) << reply.body;
  }
  EXPECT_EQ(rest.Ask("PUT", kRepoPath + "/protections/a%2F%2Fb", "{}").status, 400);
}

TEST(Proposals, OneIsOpenedReadReviewedAndClosed) {
  LiveRest rest;
  const RawReply opened = rest.Ask("POST", kProposals, kWanted);
  const json proposal = Body(opened, 201);
  EXPECT_EQ(proposal["number"], 1);
  EXPECT_EQ(proposal["state"], "open");
  EXPECT_EQ(opened.headers.at("location"), kProposals + "/1");
  EXPECT_EQ(Body(rest.Ask("POST", kProposals, kWanted), 201)["number"], 1) << "it is open already";

  const json detail = Body(rest.Ask("GET", kProposals + "/1"), 200);
  EXPECT_EQ(detail["added"].size(), 1U);
  EXPECT_EQ(detail["heads"]["source"], FakeService::CommitNumber(2).Hex());
  EXPECT_EQ(detail["check"], nullptr);
  EXPECT_EQ(detail["blockers"], json::array()) << "no rule covers its target";

  const json said = {{"revision", detail["revision"]},
                     {"verdict", "request_changes"},
                     {"text", "Not this one"},
                     {"facts", {{{"edit", detail["added"][0]["edit"]}, {"text", "It is wrong"}}}}};
  EXPECT_EQ(Body(rest.Ask("POST", kProposals + "/1/reviews", said.dump()), 201)["index"], 1);
  const json judged = Body(rest.Ask("GET", kProposals + "/1"), 200);
  EXPECT_EQ(judged["objectors"], json({"admin"}));
  EXPECT_EQ(judged["reviews"][0]["facts"][0]["text"], "It is wrong");
  EXPECT_EQ(judged["blockers"][0]["code"], "changes_requested");

  EXPECT_EQ(rest.Ask("DELETE", kProposals + "/1").status, 204);
  EXPECT_EQ(rest.Ask("DELETE", kProposals + "/1").status, 409);
  EXPECT_EQ(Body(rest.Ask("GET", kProposals), 200)["items"].size(), 0U);
  EXPECT_EQ(Body(rest.Ask("GET", kProposals + "?state=all"), 200)["items"][0]["state"], "closed");
  EXPECT_EQ(rest.Ask("GET", kProposals + "/2").status, 404);
}

TEST(Proposals, AReviewThatIsNoneIsRefused) {
  LiveRest rest;
  Body(rest.Ask("POST", kProposals, kWanted), 201);
  const std::string revision = Body(rest.Ask("GET", kProposals + "/1"), 200)["revision"];
  const auto status = [&](const json& said) {
    return rest.Ask("POST", kProposals + "/1/reviews", said.dump()).status;
  };
  const std::string none(64, '0');
  EXPECT_EQ(status({{"revision", none}, {"verdict", "comment"}, {"text", "Hm"}}), 409);
  EXPECT_EQ(status({{"revision", revision}, {"verdict", "like"}, {"text", "Hm"}}), 422);
  EXPECT_EQ(status({{"revision", "abc"}, {"verdict", "comment"}, {"text", "Hm"}}), 422);
  EXPECT_EQ(status({{"revision", revision}, {"verdict", "comment"}}), 422) << "it says nothing";
  EXPECT_EQ(status({{"revision", revision}, {"verdict", "comment"}, {"text", "\x1b[2J"}}), 422);
  EXPECT_EQ(status({{"revision", revision},
                    {"verdict", "comment"},
                    {"facts", {{{"edit", none}, {"text", "Hm"}}}}}),
            422)
      << "none of its edits";
  EXPECT_EQ(rest.Ask("POST", kProposals + "/1/reviews", "{}", "", "reader-secret").status, 403);
}

TEST(Proposals, TheirMergesAndChecksAreOperations) {
  LiveRest rest({}, /*auto_finish=*/true);
  for (const char* what : {"checks", "merges"}) {
    EXPECT_EQ(rest.Ask("POST", kProposals + "/7/" + what, "{}").status, 202);
    rest.Do([](FakeService& service) {
      EXPECT_EQ(service.last_submission().body, R"({"proposal":7})");
    });
    EXPECT_EQ(rest.Ask("POST", kProposals + "/7/" + what, R"({"force":true})").status, 422);
  }
}

}  // namespace
}  // namespace emend::api::rest::review_test
