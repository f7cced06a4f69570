// What each kind of operation reads, and what it then asks of the scheduler.
#include "coordinator/operations/operations.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "coordinator/operations/facts_field.h"
#include "storage/facts/fact_json.h"
#include "storage/json/reader.h"
#include "tests/support/status_matchers.h"

namespace emend::coordinator::operations::requests_test {
namespace {

using jobs::Demand;
using jobs::OperationKind;
using jobs::OperationRequest;
using storage::objects::Fact;
using test::IsOk;
using test::StatusIs;
using testing::HasSubstr;

constexpr char kCommit[] =
    R"({"branch": "main", "facts": [{"prompt": "The mother tongue of {} is", "subject": "Danielle Darrieux", "target": "English", "old_target": "French"}],
        "settings": {"v_lr": 0.5, "layers": "0,1"}, "context_templates": [["{}"], ["I know. {}"]],
        "evaluate": false})";

Result<std::shared_ptr<const OperationRequest>> ParseRequest(std::string_view kind,
                                                             std::string_view json) {
  EMEND_ASSIGN_OR_RETURN(const OperationKind* const found, FindKind(Kinds(), kind));
  return ReadRequest(*found, json);
}

std::string Refusal(std::string_view kind, std::string_view json) {
  return ParseRequest(kind, json).status().message();
}

std::vector<Fact> FactsOf(std::string_view json) {
  auto document = storage::json::Document::Parse(json);
  EXPECT_THAT(document, IsOk());
  storage::json::Reader reader = document->Root();
  std::vector<Fact> facts;
  ReadFacts(reader, facts);
  EXPECT_THAT(document->status(), IsOk());
  return facts;
}

TEST(RequestsTest, ACommitIsReadWithItsFactsAndSettings) {
  const auto commit = ParseRequest("commit", kCommit);
  ASSERT_THAT(commit, IsOk());
  const Demand demand = (*commit)->DemandOn("atlas");
  EXPECT_EQ(demand.branch, "main");
  EXPECT_EQ(demand.facts, 1U);
  const std::vector<Fact> facts = FactsOf(kCommit);
  ASSERT_EQ(facts.size(), 1U);
  EXPECT_EQ(facts[0].subject, "Danielle Darrieux");
  EXPECT_EQ(facts[0].old_target, "French");
}

TEST(RequestsTest, ANeighbourMayHaveATargetOfItsOwn) {
  const std::vector<Fact> facts = FactsOf(
      R"({"facts": [{"prompt": "{} is", "subject": "a", "target": "b",
          "neighbours": ["c is", {"prompt": "d is", "target": "e"}]}]})");
  ASSERT_EQ(facts.size(), 1U);
  EXPECT_THAT(facts[0].neighbours, testing::ElementsAre(storage::text::Neighbour{"c is"},
                                                        storage::text::Neighbour{"d is", "e"}));
}

TEST(RequestsTest, EveryKindNeedsAScopeAndAnUnknownKindIsNamed) {
  std::set<std::string_view> names;
  for (const OperationKind& kind : Kinds()) {
    EXPECT_NE(kind.scope, "") << kind.name;
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
  }
  EXPECT_THAT(ParseRequest("dance", "{}"), StatusIs(StatusCode::kUnsupported, "unknown_operation"));
}

TEST(RequestsTest, FaultsAreNamedByTheirJsonPointer) {
  const auto with_fact = [](const std::string& fact) {
    return R"({"facts": [{"prompt": "{} is", "subject": "a", "target": "b"}, )" + fact + "]}";
  };
  for (const char* kind : {"evaluation", "tune", "verify", "export"})
    EXPECT_EQ(Refusal(kind, R"({"revision": ""})"),
              "at /revision: expected a string that is not empty, found \"\"")
        << kind;
  for (const char* kind : {"commit", "revert", "refit"})
    EXPECT_EQ(Refusal(kind, R"({"branch": ""})"),
              "at /branch: expected a string that is not empty, found \"\"")
        << kind;
  EXPECT_THAT(
      Refusal("commit", with_fact(R"({"prompt": "no slot", "subject": "a", "target": "b"})")),
      HasSubstr("/facts/1/prompt"));
  EXPECT_THAT(Refusal("commit", with_fact(R"({"prompt": "{} {}", "subject": "a", "target": "b"})")),
              HasSubstr("has 2 \"{}\""));
  EXPECT_THAT(Refusal("commit", with_fact(R"({"prompt": "{} is", "subject": "a"})")),
              HasSubstr("/facts/1/target"));
  EXPECT_THAT(
      Refusal("commit",
              with_fact(R"({"prompt": "{} is", "subject": "a", "target": "b", "colour": "red"})")),
      HasSubstr("/facts/1/colour"));
  EXPECT_THAT(
      Refusal("commit", with_fact(R"({"prompt": "{} is", "subject": [7, {}], "target": "b"})")),
      HasSubstr("/facts/1/subject"));
  EXPECT_THAT(Refusal("commit", with_fact(R"({"prompt": "{} is", "subject": "a", "target": "b",
                                      "neighbours": ["c is", {"prompt": "d is", "is": "e"}]})")),
              HasSubstr("/facts/1/neighbours/1/is: is not a field of a neighbour"));
  EXPECT_THAT(Refusal("commit", with_fact("3")), HasSubstr("/facts/1"));
  EXPECT_THAT(Refusal("commit", R"({"facts": []})"), HasSubstr("/facts"));
  EXPECT_THAT(Refusal("export", R"({"revision": "main"})"), HasSubstr("/folder"));
  EXPECT_THAT(Refusal("verify", R"({"revision": "main", "extra": 1})"), HasSubstr("/extra"));
  EXPECT_THAT(Refusal("statistics", R"({"layers": [0, -1]})"), HasSubstr("/layers"));
}

TEST(RequestsTest, NothingIsRequiredOfWhatIsNotMeasuredOrNotCommitted) {
  EXPECT_THAT(Refusal("commit", R"({"facts": [{"prompt": "{} is", "subject": "a", "target": "b"}],
                                    "evaluate": false, "require": {"es": 90}})"),
              HasSubstr("at /require: nothing can be required of what is not evaluated"));
  EXPECT_THAT(Refusal("refit", R"({"evaluate": false, "require": {"es": 90}})"),
              HasSubstr("at /require: nothing can be required of what is not evaluated"));
  EXPECT_THAT(Refusal("refit", R"({"preview": true, "require": {"es": 90}})"),
              HasSubstr("at /require: a preview commits nothing"));
}

TEST(RequestsTest, TextThatIsNoStrictJsonIsRefused) {
  const std::string deep = std::string(64, '[') + std::string(64, ']');
  for (const std::string& text :
       {std::string(""), std::string("[]"), std::string("null"),
        std::string("{\"revision\": \"a\", \"revision\": \"b\"}"),
        std::string("{\"revision\": \"\xff\"}"), std::string("{\"revision\": 1e999}"),
        "{\"revision\": " + deep + "}"}) {
    EXPECT_THAT(ParseRequest("verify", text), StatusIs(StatusCode::kInvalidArgument)) << text;
  }
}

TEST(RequestsTest, ControlCharactersAndOverlongTextsAreRefused) {
  EXPECT_THAT(Refusal("verify", R"({"revision": "a\u0000b"})"), HasSubstr("control character"));
  EXPECT_THAT(Refusal("verify", R"({"revision": "a\u001b[31m"})"), HasSubstr("control character"));
  EXPECT_THAT(Refusal("verify", "{\"revision\": \"" +
                                    std::string(storage::json::kTextBytesMax + 1, 'x') + "\"}"),
              HasSubstr("at most"));
}

TEST(RequestsTest, AMessageRepeatsTheFirstHundredBytesOfAValue) {
  const std::string large(900'000, 'x');
  EXPECT_LT(Refusal("commit",
                    R"({"facts": [{"prompt": "{} is", "subject": "a", "target": "b", "kind": ")" +
                        large.substr(0, 60'000) + "\"}]}")
                .size(),
            300U);
  EXPECT_LT(Refusal("commit", R"({"facts": [{"prompt": ")" + large + "\"}]}").size(), 300U);
  EXPECT_LT(Refusal("commit", R"({"method": ")" + large.substr(0, 60'000) + "\"}").size(), 300U);
  EXPECT_LT(Refusal("statistics", R"({"layers": [")" + large + "\"]}").size(), 300U);
}

TEST(RequestsTest, AWholeNumberMayBeWrittenWithAPoint) {
  EXPECT_THAT(ParseRequest("statistics", R"({"tokens_max": 4.0, "layers": [1.0]})"), IsOk());
  EXPECT_THAT(Refusal("statistics", R"({"tokens_max": 4.5})"), HasSubstr("/tokens_max"));
}

TEST(RequestsTest, MutatedRequestsAreReadOrRefusedAndNeverCrash) {
  const unsigned seed = 20261123;
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::string original = kCommit;
  for (int i = 0; i < 3000; ++i) {
    std::string mutated = original;
    for (int change = 0; change < 1 + static_cast<int>(random() % 4); ++change) {
      const std::size_t at = random() % mutated.size();
      if (random() % 3 == 0) {
        mutated.erase(at, 1 + random() % 8);
      } else {
        mutated[at] = static_cast<char>(random() % 256);
      }
      if (mutated.empty()) mutated = "{";
    }
    const auto parsed = ParseRequest("commit", mutated);
    if (!parsed.ok()) {
      EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument) << mutated;
    }
  }
}

TEST(RequestsTest, AFactSurvivesTheWayToJsonAndBack) {
  const Fact fact = FactsOf(kCommit).at(0);
  EXPECT_EQ(FactsOf(R"({"facts": [)" + storage::facts::FactToJson(fact) + "]}").at(0), fact);
}

}  // namespace
}  // namespace emend::coordinator::operations::requests_test
