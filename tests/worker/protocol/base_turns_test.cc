#include "worker/protocol/base_turns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace emend::worker::protocol::base_turns_test {
namespace {

using namespace std::chrono_literals;
using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using ::testing::HasSubstr;

BaseId BaseOf(std::uint8_t number) {
  Digest digest;
  digest.bytes[0] = number;
  return BaseId(digest);
}

const BaseId kHeld = BaseOf(1);
const BaseId kOther = BaseOf(2);

RequestBody Load(const BaseId& base) { return LoadBase{base, "folder", {}}; }
RequestBody Text(const BaseId& base) {
  Complete text;
  text.base = base;
  return text;
}
RequestBody Question() { return ProbeRanks{}; }
RequestBody Ensure() { return EnsureState{kHeld, {}, {}}; }
RequestBody Put() { return PutEdits{kHeld, {}}; }

// Requests at a worker that holds kHeld.
class BaseTurnsTest : public ::testing::Test {
 protected:
  Status Ask(const RequestBody& request, BaseUse use = BaseUse::kNone) {
    return turns_.Admit(request, HeldBase{kHeld, use}, now_);
  }
  void Done(const RequestBody& request) { turns_.Done(request, now_); }

  BaseTurns turns_;
  SteadyTime now_{1h};
};

TEST_F(BaseTurnsTest, WhereNothingIsUnderWayAnotherBaseComesAtOnce) {
  EXPECT_THAT(turns_.Admit(Load(kOther), std::nullopt, now_), IsOk());
  EXPECT_THAT(Ask(Load(kOther)), IsOk());
}

TEST_F(BaseTurnsTest, ABaseThatIsInUseIsNamedToWhoWantsAnother) {
  const Status solving = Ask(Load(kOther), BaseUse::kWork);
  EXPECT_THAT(solving, StatusIs(StatusCode::kUnavailable, "base_busy"));
  EXPECT_THAT(solving.message(), HasSubstr("loading base " + kOther.Short() + ": base " +
                                           kHeld.Short() + " is worked on"));
  EXPECT_THAT(Ask(Load(kOther), BaseUse::kTexts).message(),
              HasSubstr("base " + kHeld.Short() + " has texts under way"));
  EXPECT_THAT(Ask(Load(kHeld), BaseUse::kWork), IsOk()) << "it is there";
  EXPECT_THAT(Ask(Question(), BaseUse::kWork), IsOk());
}

TEST_F(BaseTurnsTest, NoNewTextBeginsWhileAnotherBaseWaitsForTheOld) {
  EXPECT_THAT(Ask(Text(kHeld), BaseUse::kTexts), IsOk());
  EXPECT_THAT(Ask(Load(kOther), BaseUse::kTexts), StatusIs(StatusCode::kUnavailable, "base_busy"));
  const Status text = Ask(Text(kHeld), BaseUse::kTexts);
  EXPECT_THAT(text, StatusIs(StatusCode::kUnavailable, "base_busy"));
  EXPECT_THAT(text.message(), HasSubstr(kOther.Short()));
  EXPECT_THAT(Ask(Text(kHeld)), StatusIs(StatusCode::kUnavailable, "base_busy"))
      << "the last one has ended, and the other is not there yet";
  EXPECT_THAT(Ask(Text(kHeld), BaseUse::kWork), IsOk()) << "nothing is won by waiting for a solve";
  EXPECT_THAT(Ask(Text(kOther)), IsOk()) << "it is told that its base is not loaded";
  EXPECT_THAT(Ask(Question()), IsOk());
  now_ += kBaseWantedFor;
  EXPECT_THAT(Ask(Text(kHeld)), IsOk()) << "whoever wanted the other has given up";
}

TEST_F(BaseTurnsTest, OnceTheOtherBaseIsThereItsTextsBegin) {
  EXPECT_THAT(Ask(Load(kOther), BaseUse::kTexts), StatusIs(StatusCode::kUnavailable, "base_busy"));
  EXPECT_THAT(Ask(Load(kOther)), IsOk());
  Done(Load(kOther));
  now_ += kBaseTurn;
  EXPECT_THAT(turns_.Admit(Text(kOther), HeldBase{kOther}, now_), IsOk())
      << "it is not itself that it makes room for";
}

TEST_F(BaseTurnsTest, ABaseThatWasLoadedIsWorkedWithBeforeAnotherComes) {
  Done(Load(kHeld));
  for (const RequestBody& request : {Ensure(), Put(), Load(kHeld)}) {
    now_ += kBaseTurn - 1s;
    EXPECT_THAT(Ask(Load(kOther)), StatusIs(StatusCode::kUnavailable, "base_busy"))
        << "before " << TraitsOf(request).name;
    Done(request);
  }
  Done(Question());
  EXPECT_THAT(Ask(Load(kOther)), StatusIs(StatusCode::kUnavailable, "base_busy"))
      << "another who waited for it may come";
  now_ += kBaseLeftAlone;
  EXPECT_THAT(Ask(Load(kOther)), IsOk());
}

TEST_F(BaseTurnsTest, ATurnEndsThoughTheBaseIsAskedAgainAndAgain) {
  Done(Load(kHeld));
  for (const auto end = now_ + kBaseTurn; now_ < end; now_ += 100ms) {
    Done(Question());
    EXPECT_THAT(Ask(Load(kOther)), StatusIs(StatusCode::kUnavailable, "base_busy"));
    Done(Ensure());
  }
  EXPECT_THAT(Ask(Load(kOther)), IsOk());
}

TEST_F(BaseTurnsTest, ABaseThatNobodyComesBackForIsNotKept) {
  Done(Load(kHeld));
  now_ += kBaseTurn;
  EXPECT_THAT(Ask(Load(kOther)), IsOk());
}

TEST_F(BaseTurnsTest, InItsTurnTheTextsOfABaseBeginWhoeverWaits) {
  Done(Load(kHeld));
  Done(StepTexts{kHeld});
  EXPECT_THAT(Ask(Load(kOther), BaseUse::kTexts), StatusIs(StatusCode::kUnavailable, "base_busy"));
  EXPECT_THAT(Ask(Text(kHeld), BaseUse::kTexts), IsOk());
  now_ += kBaseTurn - 1s;
  EXPECT_THAT(Ask(Load(kOther), BaseUse::kTexts), StatusIs(StatusCode::kUnavailable, "base_busy"));
  Done(StepTexts{kHeld});
  now_ += 1s;
  EXPECT_THAT(Ask(Text(kHeld), BaseUse::kTexts), StatusIs(StatusCode::kUnavailable, "base_busy"));
}

TEST_F(BaseTurnsTest, ABaseThatIsLoadedAgainHasATurnAgain) {
  Done(Load(kHeld));
  Done(Question());
  now_ += kBaseLeftAlone;
  EXPECT_THAT(turns_.Admit(Load(kHeld), std::nullopt, now_), IsOk())
      << "the group was formed again, and nothing is held";
  Done(Load(kHeld));
  EXPECT_THAT(Ask(Load(kOther)), StatusIs(StatusCode::kUnavailable, "base_busy"));
}

TEST_F(BaseTurnsTest, BehindALongTextOthersAreHeldBackForATimeOnly) {
  const auto begin = now_;
  for (; now_ < begin + 3 * kTextsHeldBack; now_ += 1s) {
    EXPECT_THAT(Ask(Load(kOther), BaseUse::kTexts),
                StatusIs(StatusCode::kUnavailable, "base_busy"));
    const bool held_back = (now_ - begin) / kTextsHeldBack != 1;
    EXPECT_EQ(Ask(Text(kHeld), BaseUse::kTexts).ok(), !held_back) << (now_ - begin) / 1s << " s";
  }
}

}  // namespace
}  // namespace emend::worker::protocol::base_turns_test
