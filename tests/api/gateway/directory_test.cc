#include "api/gateway/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/gateway/publications.h"
#include "tests/support/status_matchers.h"

namespace emend::api::gateway::directory_test {
namespace {

using namespace std::chrono_literals;
using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using worker::protocol::ReadPublicationReply;

const WorkerId kFirst{"w0"};
const WorkerId kSecond{"w1"};

class DirectoryTest : public ::testing::Test {
 protected:
  void Note(const WorkerId& worker, ReadPublicationReply reply) {
    directory_.Note(worker, std::move(reply), now_);
  }

  SteadyTime now_ = SteadyTime() + 1h;
  Directory directory_;
};

TEST_F(DirectoryTest, WithoutWorkersNothingIsKnown) {
  EXPECT_THAT(directory_.Find(kRepo, "main"), StatusIs(StatusCode::kUnavailable, "no_worker"));
  EXPECT_TRUE(directory_.Served().empty());
  EXPECT_FALSE(directory_.FindToken(Sha256("ask-secret")).has_value());
  EXPECT_EQ(directory_.Silence(now_), 0ms);
}

TEST_F(DirectoryTest, ANameIsABranchATagOrTheCommitOfOne) {
  Note(kFirst, AllLive(PublicationAt(5, {RefAt(1), RefAt(1, "v1")})));
  EXPECT_THAT(directory_.Find(kRepo, "main"), IsOkAndHolds(RefAt(1)));
  EXPECT_THAT(directory_.Find(kRepo, "v1"), IsOkAndHolds(RefAt(1, "v1")));
  const std::string commit = RefAt(1, "v1").commit.Hex();
  EXPECT_THAT(directory_.Find(kRepo, commit), IsOkAndHolds(RefAt(1, "v1")));
  EXPECT_THAT(directory_.Find(kRepo, commit.substr(0, 12)), IsOkAndHolds(RefAt(1, "v1")));
  for (const std::string& unknown :
       {commit.substr(0, 11), std::string("v2"), RefAt(2).commit.Hex()}) {
    EXPECT_THAT(directory_.Find(kRepo, unknown), StatusIs(StatusCode::kNotFound, "not_found"));
  }
  EXPECT_THAT(directory_.Find(RepoName("other"), "main").status().message(),
              HasSubstr("facts@main, facts@v1"));
  EXPECT_THAT(directory_.Served(), ElementsAre(RefAt(1), RefAt(1, "v1")));
}

TEST_F(DirectoryTest, TheLatestThatIsLiveAnywhereCounts) {
  Note(kFirst, AllLive(PublicationAt(5, {RefAt(1)})));
  // The second worker has the next commit live; the first has not even heard of it.
  Note(kSecond, AllLive(PublicationAt(6, {RefAt(2)})));
  EXPECT_THAT(directory_.Find(kRepo, "main"), IsOkAndHolds(RefAt(2)));
  EXPECT_THAT(directory_.Holders(kBase, RefAt(2).state), ElementsAre(kSecond));
  EXPECT_THAT(directory_.Holders(kBase, RefAt(1).state), ElementsAre(kFirst));
  EXPECT_TRUE(directory_.Holders(BaseId(), RefAt(1).state).empty());
}

TEST_F(DirectoryTest, ANameStandsForTheCommitBeforeUntilTheNextIsLive) {
  Note(kFirst, {PublicationAt(6, {RefAt(2)}), {{RefAt(1), 5}}, 0});
  EXPECT_THAT(directory_.Find(kRepo, "main"), IsOkAndHolds(RefAt(1)));
  // Who asks for the commit itself is not given another.
  EXPECT_THAT(directory_.Find(kRepo, RefAt(2).commit.Hex()),
              StatusIs(StatusCode::kUnavailable, "state_not_live"));
  Note(kFirst, {PublicationAt(6, {RefAt(2)}), {}, 0});
  EXPECT_THAT(directory_.Find(kRepo, "main"), StatusIs(StatusCode::kUnavailable, "state_not_live"));
}

TEST_F(DirectoryTest, WhatTheLatestPublicationHasNotIsGone) {
  Note(kFirst, AllLive(PublicationAt(5, {RefAt(1), RefAt(1, "old")})));
  auto next = PublicationAt(6, {RefAt(1)});
  next.tokens.clear();
  Note(kSecond, AllLive(next));
  EXPECT_THAT(directory_.Find(kRepo, "old"), StatusIs(StatusCode::kNotFound, "not_found"));
  EXPECT_FALSE(directory_.FindToken(Sha256("ask-secret")).has_value());
  directory_.Forget(kSecond);
  EXPECT_THAT(directory_.Find(kRepo, "old"), IsOkAndHolds(RefAt(1, "old")));
  EXPECT_EQ(directory_.FindToken(Sha256("ask-secret"))->principal, "ann");
}

TEST_F(DirectoryTest, SilenceEndsWithTheWorkerThatHeardLast) {
  Note(kFirst, AllLive(PublicationAt(5, {RefAt(1)}), 30'000));
  EXPECT_EQ(directory_.Silence(now_ + 1s), 31s);
  Note(kSecond, AllLive(PublicationAt(5, {RefAt(1)}), 100));
  EXPECT_EQ(directory_.Silence(now_ + 1s), 1100ms);
}

}  // namespace
}  // namespace emend::api::gateway::directory_test
