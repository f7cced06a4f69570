#include "worker/server/published.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "storage/base/digest.h"

namespace emend::worker::server::published_test {
namespace {

using protocol::Publication;
using protocol::PublishedRef;
using protocol::ServedRef;
using ::testing::ElementsAre;

const BaseId kBase{Sha256("base")};

StateId StateAt(int number) { return StateId(Sha256("state" + std::to_string(number))); }

PublishedRef Ref(const std::string& name, int number, const BaseId& base = kBase) {
  return {RepoName("facts"), name, 0, base, CommitId(Sha256("commit" + std::to_string(number))),
          StateAt(number)};
}

class PublishedTest : public ::testing::Test {
 protected:
  std::vector<ServedRef> Served(const std::set<StateId>& live, std::size_t wanted_max = 3) {
    const auto is_live = [&](const BaseId& base, const StateId& state) {
      return base == kBase && live.contains(state);
    };
    published_.Refresh(is_live, published_.Wanted(kBase, wanted_max));
    return published_.served();
  }
  Published published_;
};

TEST_F(PublishedTest, TheFirstStatesOfTheBaseAreWanted) {
  published_.Take(
      {1,
       {Ref("main", 1), Ref("other", 2, BaseId()), Ref("same", 1), Ref("next", 3), Ref("last", 4)},
       {}});
  EXPECT_THAT(published_.Wanted(kBase, 2), ElementsAre(StateAt(1), StateAt(3)));
  EXPECT_THAT(published_.Wanted(BaseId(), 2), ElementsAre(StateAt(2)));
}

TEST_F(PublishedTest, ANameGoesOnStandingForWhatItStoodForUntilTheNextIsLive) {
  published_.Take({1, {Ref("main", 1)}, {}});
  EXPECT_TRUE(Served({}).empty());
  EXPECT_THAT(Served({StateAt(1)}), ElementsAre(ServedRef{Ref("main", 1), 1}));
  published_.Take({2, {Ref("main", 2), Ref("new", 1)}, {}});
  EXPECT_THAT(Served({StateAt(1)}),
              ElementsAre(ServedRef{Ref("main", 1), 1}, ServedRef{Ref("new", 1), 2}));
  EXPECT_THAT(Served({StateAt(1), StateAt(2)}),
              ElementsAre(ServedRef{Ref("main", 2), 2}, ServedRef{Ref("new", 1), 2}));
  // Not back to the one before.
  published_.Take({3, {Ref("main", 3)}, {}});
  EXPECT_TRUE(Served({StateAt(1)}).empty());
}

TEST_F(PublishedTest, ANameThatNobodyMakesLiveIsNotOutOfDate) {
  published_.Take({1, {Ref("main", 1), Ref("last", 2)}, {}});
  EXPECT_THAT(Served({StateAt(1), StateAt(2)}, 1),
              ElementsAre(ServedRef{Ref("main", 1), 1}, ServedRef{Ref("last", 2), 1}));
  published_.Take({2, {Ref("main", 3), Ref("last", 4)}, {}});
  EXPECT_THAT(Served({StateAt(1), StateAt(2)}, 1), ElementsAre(ServedRef{Ref("main", 1), 1}));
  EXPECT_THAT(Served({StateAt(1), StateAt(2)}, 2), ElementsAre(ServedRef{Ref("main", 1), 1}))
      << "it does not come back";
}

TEST_F(PublishedTest, ANameThatIsPublishedNoMoreIsGone) {
  published_.Take({1, {Ref("main", 1), Ref("old", 1)}, {}});
  EXPECT_EQ(Served({StateAt(1)}).size(), 2U);
  published_.Take({2, {Ref("main", 1)}, {}});
  EXPECT_THAT(Served({StateAt(1)}), ElementsAre(ServedRef{Ref("main", 1), 2}));
}

}  // namespace
}  // namespace emend::worker::server::published_test
