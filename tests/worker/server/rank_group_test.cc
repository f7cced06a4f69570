// A model over several ranks, asked like a worker: what it solves is as good, and what is stored is
// served byte for byte as on one.
#include "worker/server/rank_group.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "storage/delta/payload.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/server/atlas_requests.h"
#include "tests/worker/server/kept_solution.h"
#include "worker/protocol/past_keys.h"
#include "worker/server/handlers.h"

namespace emend::worker::server::rank_group_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::StatusIs;
using protocol::ReplyBody;
using protocol::RequestBody;

const LiveBaseOptions kOptions{.states_max = 2, .edit_bytes_max = std::size_t{1} << 30};

Call PlainCall(
    std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false)) {
  return {.cancelled = std::move(cancelled),
          .progress = [](std::string_view, std::uint64_t, std::uint64_t) {}};
}

// The same model by another name.
protocol::LoadBase OtherBase() {
  protocol::LoadBase request = LoadRequest();
  request.base = BaseId(EditedState().digest());
  return request;
}

// The workers of a group, each a thread but for rank 0, which is the test's.
class Group {
 public:
  explicit Group(int ranks) {
    for (int rank = 0; rank < ranks; ++rank)
      workers_.push_back(std::make_unique<Handlers>(kOptions));
    if (ranks > 1) Form();
  }
  ~Group() {
    for (const auto& worker : workers_) worker->Interrupt();
    for (std::thread& thread : threads_) thread.join();
  }

  Result<ReplyBody> Ask(const RequestBody& request, const Call& call = PlainCall()) {
    return workers_[0]->Handle(request, call);
  }
  template <typename Reply>
  Reply Get(const RequestBody& request) {
    const Result<ReplyBody> reply = Ask(request);
    EXPECT_THAT(reply, IsOk());
    return reply.ok() ? std::get<Reply>(*reply) : Reply{};
  }
  // To be answered in between, or by RunOffered().
  void Offer(RequestBody request, std::function<void(Result<ReplyBody>)> then) {
    workers_[0]->Offer(std::make_shared<Interlude>(Interlude{
        std::move(request), PlainCall(), std::move(then), [](const protocol::Piece&) {}}));
  }
  // `said` becomes what is said, at its end.
  void Offer(const protocol::Complete& request, std::string& said) {
    const auto text = std::make_shared<std::string>();
    workers_[0]->Offer(std::make_shared<Interlude>(
        Interlude{request, PlainCall(),
                  [&said, text](const Result<ReplyBody>& reply) {
                    EXPECT_THAT(reply, IsOk());
                    said = *text;
                  },
                  [text](const protocol::Piece& piece) { *text += piece.text; }}));
  }
  Handlers& worker(std::size_t rank) { return *workers_[rank]; }

 private:
  void Form() {
    protocol::JoinGroup join{.generation = 7, .rank = 0, .addresses = {}, .secret = "s"};
    for (const auto& worker : workers_)
      join.addresses.push_back(std::get<protocol::OpenLineReply>(
                                   worker->Handle(protocol::OpenLine{}, PlainCall()).value())
                                   .address);
    for (std::size_t rank = 1; rank < workers_.size(); ++rank) {
      threads_.emplace_back([this, rank, mine = join]() mutable {
        at::set_num_threads(1);
        mine.rank = static_cast<std::int32_t>(rank);
        ASSERT_THAT(workers_[rank]->Handle(mine, PlainCall()), IsOk());
        EXPECT_FALSE(workers_[rank]->Handle(protocol::Follow{}, PlainCall()).ok());
      });
    }
    EXPECT_THAT(workers_[0]->Handle(join, PlainCall()), IsOk());
  }

  std::vector<std::unique_ptr<Handlers>> workers_;
  std::vector<std::thread> threads_;
};

class RankGroupTest : public testing::TestWithParam<int> {
 protected:
  RankGroupTest() : group_(GetParam()) {
    EXPECT_THAT(group_.Ask(LoadRequest()), IsOk());
    EXPECT_THAT(group_.Ask(EnsureRequest(BaseState(), 0)), IsOk());
  }
  void Serve(const protocol::SolveReply& solved) {
    EXPECT_THAT(group_.Ask(EnsureRequest(EditedState(), solved.edits.size())), IsOk());
    EXPECT_THAT(group_.Ask(PutRequest(solved)), IsOk());
    EXPECT_TRUE(
        group_.Get<protocol::EnsureStateReply>(EnsureRequest(EditedState(), solved.edits.size()))
            .missing.empty());
  }
  protocol::EvaluateReply Score() {
    return group_.Get<protocol::EvaluateReply>(
        protocol::Evaluate{.base = AtlasBase(), .state = EditedState(), .facts = SolvedFacts()});
  }

  Group group_;
};
INSTANTIATE_TEST_SUITE_P(Ranks, RankGroupTest, testing::Values(1, 2, 4));

// The demo's model with a tokenizer that knows one token more than the embedding has rows.
class TokenWithoutRowTest : public testing::TestWithParam<int> {
 protected:
  TokenWithoutRowTest() : group_(GetParam()) {
    std::filesystem::copy(kAtlasModel, folder_.path() + "/model",
                          std::filesystem::copy_options::recursive);
    const std::string path = folder_.path() + "/model/tokenizer.json";
    nlohmann::json tokenizer = nlohmann::json::parse(std::ifstream(path));
    tokenizer["added_tokens"].push_back(
        {{"id", 8192}, {"content", "<|im_end|>"}, {"special", true}});
    std::ofstream(path) << tokenizer.dump();
    EXPECT_THAT(group_.Ask(protocol::LoadBase{AtlasBase(), folder_.path() + "/model", {}}), IsOk());
    EXPECT_THAT(group_.Ask(EnsureRequest(BaseState(), 0)), IsOk());
  }
  void ExpectRefused(const RequestBody& request) {
    const Status status = group_.Ask(request).status();
    EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument, "unknown_token"));
    EXPECT_NE(status.message().find("<|im_end|>"), std::string::npos);
  }
  std::string file(const std::string& name) const { return folder_.path() + "/" + name; }

  test::TemporaryFolder folder_;
  Group group_;
};
INSTANTIATE_TEST_SUITE_P(Ranks, TokenWithoutRowTest, testing::Values(1, 2));

TEST_P(TokenWithoutRowTest, IsRefusedWhereverATextBecomesTokens) {
  ExpectRefused(protocol::SampleTexts{AtlasBase(), {"The", "<|im_end|>"}});

  protocol::ComputeStatistics statistics = StatisticsRequest(file("refused"));
  statistics.lines.resize(20);
  statistics.lines[7] += "<|im_end|>";
  ExpectRefused(statistics);
  EXPECT_FALSE(std::filesystem::exists(file("refused")));
  statistics.lines[7] = "A line without it.";
  statistics.file = file("statistics");
  EXPECT_THAT(group_.Ask(statistics), IsOk()) << "all ranks go on together";

  const protocol::Solve solve = SolveRequest(file("statistics"));
  for (std::string protocol::SolveFact::* text :
       {&protocol::SolveFact::prompt, &protocol::SolveFact::subject,
        &protocol::SolveFact::target}) {
    protocol::Solve changed = solve;
    changed.facts[2].*text = "<|im_end|>" + changed.facts[2].*text;
    ExpectRefused(changed);
    ExpectRefused(
        protocol::OptimiseTargets{AtlasBase(), BaseState(), changed.settings, changed.facts});
  }
  protocol::Solve in_template = solve;
  in_template.settings.context_templates = {{"{}"}, {"It rained.<|im_end|> {}"}};
  ExpectRefused(in_template);

  protocol::Evaluate evaluate{AtlasBase(), BaseState(), SolvedFacts()};
  evaluate.facts[1].neighbours.push_back({"Anna <|im_end|> was born in"});
  ExpectRefused(evaluate);
}

TEST_P(TokenWithoutRowTest, EndsACompletionAndNoOther) {
  protocol::Complete text = TextRequest(BaseState(), 0, 2);
  text.temperature = 1;
  text.prompt = "Anna <|im_end|> was";
  std::vector<Status> ends;
  const auto end = [&](const Result<ReplyBody>& reply) { ends.push_back(reply.status()); };
  group_.Offer(text, end);
  text.prompt = PromptOf(0);
  group_.Offer(text, end);
  while (group_.worker(0).RunOffered()) continue;
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_THAT(ends[0], StatusIs(StatusCode::kInvalidArgument, "unknown_token"));
  EXPECT_NE(ends[0].message().find("<|im_end|>"), std::string::npos);
  EXPECT_THAT(ends[1], IsOk());
}

TEST_P(RankGroupTest, AnswersGeneralQuestionsAsItGenerates) {
  const test::TemporaryFolder folder;
  protocol::LoadBase request = CheckedLoadRequest(folder.path());
  std::ofstream(request.folder + "/chat_template.jinja") << "Q: {{ messages[0].content }} A:";
  ASSERT_THAT(group_.Ask(protocol::ForgetBase{AtlasBase(), "another copy"}), IsOk());
  ASSERT_THAT(group_.Ask(request), IsOk());
  ASSERT_THAT(group_.Ask(EnsureRequest(BaseState(), 0)), IsOk());
  const auto reply = group_.Get<protocol::EvaluateReply>(protocol::Evaluate{
      AtlasBase(), BaseState(), {SolvedFacts()[0]}, BaseState(), /*drift=*/true, /*chat=*/true});
  ASSERT_TRUE(reply.questions.has_value());
  ASSERT_EQ(reply.questions->answers.size(), 8U);
  for (const protocol::AnsweredQuestion& answer : reply.questions->answers)
    EXPECT_TRUE(answer.same);
  EXPECT_EQ(reply.questions->nll_before, reply.questions->nll_after);
  const protocol::AnsweredQuestion& first = reply.questions->answers[0];
  protocol::Complete text = TextRequest(BaseState(), 0, 24);
  text.prompt = "Q: " + first.question + " A:";
  std::string said;
  group_.Offer(text, said);
  while (group_.worker(0).RunOffered()) continue;
  EXPECT_EQ(first.before, said);
}

TEST_P(RankGroupTest, StoredEditsAreServedByteForByteAsOnOneRank) {
  Serve(KeptSolution());
  const auto roots =
      group_.Get<protocol::DigestStateReply>(protocol::DigestState{AtlasBase(), EditedState()})
          .roots;
  EXPECT_EQ(roots, RebuiltRoots(KeptSolution()));
}

TEST_P(RankGroupTest, ABatchSolvedOnManyRanksIsAsGood) {
  const protocol::SolveReply& one = KeptSolution();
  test::TemporaryFolder folder;
  const std::string file = folder.path() + "/statistics.safetensors";
  const auto statistics = group_.Get<protocol::ComputeStatisticsReply>(StatisticsRequest(file));
  EXPECT_EQ(statistics.layers.size(), 3U);
  const auto solved = group_.Get<protocol::SolveReply>(SolveRequest(file));
  ASSERT_EQ(solved.edits.size(), one.edits.size());
  for (std::size_t i = 0; i < solved.layers.size(); ++i) {
    EXPECT_NEAR(solved.layers[i].update_norm, one.layers[i].update_norm,
                0.02 * one.layers[i].update_norm);
    EXPECT_NEAR(solved.layers[i].weight_norm, one.layers[i].weight_norm,
                1e-4 * one.layers[i].weight_norm);
  }
  Serve(solved);
  EXPECT_EQ(
      group_.Get<protocol::DigestStateReply>(protocol::DigestState{AtlasBase(), EditedState()})
          .roots,
      RebuiltRoots(solved));
  const protocol::EvaluateReply score = Score();
  Group single(1);
  EXPECT_THAT(single.Ask(LoadRequest()), IsOk());
  EXPECT_THAT(single.Ask(EnsureRequest(EditedState(), 4)), IsOk());
  EXPECT_THAT(single.Ask(PutRequest(one)), IsOk());
  EXPECT_THAT(single.Ask(EnsureRequest(EditedState(), 4)), IsOk());
  const auto expected = single.Get<protocol::EvaluateReply>(
      protocol::Evaluate{.base = AtlasBase(), .state = EditedState(), .facts = SolvedFacts()});
  EXPECT_NEAR(score.es, expected.es, 1.0);
  EXPECT_NEAR(score.ps, expected.ps, 1.0);
  EXPECT_NEAR(score.ns, expected.ns, 1.0);
}

TEST_P(RankGroupTest, AnAnswerIsBlamedOnTheSameEditByManyRanks) {
  Serve(KeptSolution());
  const auto reply = group_.Get<protocol::BlameReply>(
      protocol::Blame{AtlasBase(), EditedState(), PromptOf(2), SolvedFacts()[2].target, 8, 3});
  ASSERT_FALSE(reply.edits.empty());
  EXPECT_EQ(reply.edits[0].edit, NumberedEdit(2));
  EXPECT_GT(reply.log_probability - reply.edits[0].log_probability, 0.5);
}

TEST_P(RankGroupTest, OneRanksStatisticsFileIsReadByMany) {
  const auto solved = group_.Get<protocol::SolveReply>(SolveRequest(KeptStatistics()));
  EXPECT_EQ(solved.edits.size(), 4U);
}

TEST_P(RankGroupTest, WhatEarlierEditsAreKeyedByIsPartOfASolve) {
  const protocol::SolveReply& solved = KeptSolution();
  test::TemporaryFolder folder;
  const std::string path = folder.path() + "/past";
  const auto write = [&](const std::vector<std::string>& payloads) {
    std::ofstream(path, std::ios::binary) << EncodeRecord(protocol::PastKeys{payloads});
  };
  protocol::Solve request = SolveRequest(KeptStatistics());
  request.past_keys_file = path;
  EXPECT_THAT(group_.Ask(request), StatusIs(StatusCode::kNotFound)) << "no file there";
  std::ofstream(path) << "something else";
  EXPECT_THAT(group_.Ask(request), StatusIs(StatusCode::kDataLoss, "bad_past_keys"));
  write({storage::delta::EncodePayload(
      std::vector<storage::delta::EditKey>{{"transformer.h.0.mlp.c_proj.weight", {1, 2, 3}}})});
  EXPECT_THAT(group_.Ask(request), StatusIs(StatusCode::kDataLoss, "bad_past_keys"))
      << "another width";
  write({solved.edits[0].keys_payload});
  // The same key as the first fact's: it gets half of what it asks for, since as much is asked to
  // stay.
  const auto held = group_.Get<protocol::SolveReply>(request);
  ASSERT_EQ(held.layers.size(), solved.layers.size());
  EXPECT_LT(held.layers[0].update_norm, 0.95 * solved.layers[0].update_norm);
  EXPECT_NEAR(held.layers[0].leverage / solved.layers[0].leverage, 1, 1e-3) << "of the batch alone";
}

TEST_P(RankGroupTest, ARankReadsItsPartOfTheBaseAndNoMore) {
  const int ranks = GetParam();
  test::TemporaryFolder folder;
  const protocol::LoadBase request = CheckedLoadRequest(folder.path());
  std::uint64_t whole = 0;
  {
    Group one(1);
    whole = one.Get<protocol::LoadBaseReply>(request).bytes_read;
  }
  Group group(ranks);
  EXPECT_THAT(group.Ask(request), IsOk());
  for (std::size_t rank = 0; rank < static_cast<std::size_t>(ranks); ++rank) {
    // Positions, norms, and the tiles and small files are read by every rank.
    EXPECT_LE(group.worker(rank).memory().file_bytes_read,
              whole / static_cast<std::uint64_t>(ranks) + whole / 10)
        << rank;
    EXPECT_GE(group.worker(rank).memory().file_bytes_read,
              whole / static_cast<std::uint64_t>(ranks))
        << rank;
  }
}

TEST_P(RankGroupTest, ADamagedTileIsFoundByTheRankThatReadsIt) {
  test::TemporaryFolder folder;
  const protocol::LoadBase request = CheckedLoadRequest(folder.path());
  FlipBit(folder.path(), "transformer.h.2.mlp.c_proj.weight", 2047, 255);  // the last rank's
  Group group(GetParam());
  const auto refused = group.Ask(request);
  EXPECT_THAT(refused, StatusIs(StatusCode::kDataLoss, "base_damaged"));
  const std::string message = refused.status().message();
  EXPECT_NE(
      message.find(
          "tensor \"transformer.h.2.mlp.c_proj.weight\" in \"model.safetensors\": tile 127 of 128"),
      std::string::npos)
      << message;
  if (GetParam() > 1) {
    EXPECT_NE(message.find("rank " + std::to_string(GetParam() - 1) + " of"), std::string::npos)
        << "the first rank that noticed: " << message;
  }
}

TEST_P(RankGroupTest, WhatFailsOnAllIsAnsweredAndTheGroupGoesOn) {
  EXPECT_THAT(group_.Ask(protocol::DigestState{AtlasBase(), EditedState()}),
              StatusIs(StatusCode::kFailedPrecondition, "state_not_live"));
  EXPECT_THAT(group_.Ask(SolveRequest("no/such/file")), StatusIs(StatusCode::kNotFound));
  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  Call call = PlainCall(cancelled);
  call.progress = [cancelled](std::string_view, std::uint64_t, std::uint64_t) {
    cancelled->store(true);
  };
  EXPECT_THAT(group_.Ask(SolveRequest(KeptStatistics()), call), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(group_.worker(0).Tick(), IsOk());
  std::string text;
  group_.Offer(TextRequest(BaseState(), 0, 3), text);
  while (group_.worker(0).RunOffered()) continue;
  EXPECT_NE(text, "");
}

TEST_P(RankGroupTest, EachRankHasItsTilesAndABaseThatIsForgottenIsReadAnew) {
  Serve(KeptSolution());
  const auto roots =
      group_.Get<protocol::DigestStateReply>(protocol::DigestState{AtlasBase(), EditedState()})
          .roots;
  const auto of_ranks = group_
                            .Get<protocol::DigestTilesReply>(protocol::DigestTiles{
                                AtlasBase(), EditedState(), roots.begin()->first})
                            .tiles;
  EXPECT_EQ(of_ranks.size(), static_cast<std::size_t>(GetParam()));
  std::size_t tiles = 0;
  std::set<std::uint64_t> all;
  for (const auto& of_rank : of_ranks) {
    EXPECT_FALSE(of_rank.empty());
    tiles += of_rank.size();
    for (const auto& [tile, digest] : of_rank) all.insert(tile);
  }
  EXPECT_EQ(all.size(), tiles) << "no tile lies on two ranks";
  EXPECT_EQ(*all.rbegin() + 1, tiles) << "every tile lies on one";
  EXPECT_THAT(group_.Ask(protocol::DigestTiles{AtlasBase(), EditedState(), "wte"}),
              StatusIs(StatusCode::kNotFound));

  EXPECT_THAT(group_.Ask(protocol::ForgetBase{AtlasBase(), "a test"}), IsOk());
  EXPECT_THAT(group_.Ask(protocol::DigestState{AtlasBase(), EditedState()}),
              StatusIs(StatusCode::kFailedPrecondition, "base_not_loaded"));
  EXPECT_GT(group_.Get<protocol::LoadBaseReply>(LoadRequest()).bytes_read, 0U);
  Serve(KeptSolution());
  EXPECT_EQ(
      group_.Get<protocol::DigestStateReply>(protocol::DigestState{AtlasBase(), EditedState()})
          .roots,
      roots);
}

TEST_P(RankGroupTest, QuestionsAreAnsweredWhileABatchIsSolvedAndChangeNothingInIt) {
  const protocol::Complete question = TextRequest(BaseState(), 1, 3);
  std::string expected;
  group_.Offer(question, expected);
  while (group_.worker(0).RunOffered()) continue;
  EXPECT_NE(expected, "");
  const protocol::SolveReply undisturbed =
      group_.Get<protocol::SolveReply>(SolveRequest(KeptStatistics()));
  std::deque<std::string> answers;  // empty: not yet
  Call call = PlainCall();
  call.progress = [&](std::string_view, std::uint64_t done, std::uint64_t) {
    if (done % 8 != 0) return;
    group_.Offer(question, answers.emplace_back());
    // A state that is not there, and a cancelled question.
    group_.Offer(TextRequest(EditedState(), 0, 3),
                 [](const Result<ReplyBody>& reply) { EXPECT_FALSE(reply.ok()); });
    const auto cancelled = std::make_shared<Interlude>(
        Interlude{question, PlainCall(std::make_shared<std::atomic<bool>>(true)),
                  [](const Result<ReplyBody>& reply) {
                    EXPECT_THAT(reply, StatusIs(StatusCode::kCancelled));
                  }});
    group_.worker(0).Offer(cancelled);
  };
  const Result<ReplyBody> solved = group_.Ask(SolveRequest(KeptStatistics()), call);
  ASSERT_THAT(solved, IsOk());
  EXPECT_GE(std::ranges::count(answers, expected), 2) << "said to their ends while it solved";
  while (group_.worker(0).RunOffered()) continue;
  for (const std::string& answer : answers) EXPECT_EQ(answer, expected);
  EXPECT_EQ(std::get<protocol::SolveReply>(*solved).edits, undisturbed.edits);
}

TEST_P(RankGroupTest, AnotherBaseIsRefusedAtOnceWhileABatchIsSolvedAndComesAfterIt) {
  const protocol::SolveReply undisturbed =
      group_.Get<protocol::SolveReply>(SolveRequest(KeptStatistics()));
  std::vector<Status> refused;
  bool solving = true;
  Call call = PlainCall();
  call.progress = [&](std::string_view, std::uint64_t done, std::uint64_t) {
    if (done % 8 == 0)
      group_.Offer(OtherBase(), [&](const Result<ReplyBody>& reply) {
        refused.push_back(solving ? reply.status() : OkStatus());
      });
  };
  const Result<ReplyBody> solved = group_.Ask(SolveRequest(KeptStatistics()), call);
  solving = false;
  ASSERT_THAT(solved, IsOk());
  EXPECT_EQ(std::get<protocol::SolveReply>(*solved).edits, undisturbed.edits);
  ASSERT_GE(refused.size(), 2U);
  for (const Status& status : refused)
    EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, "base_busy"));
  std::this_thread::sleep_for(protocol::kBaseLeftAlone);
  Status loaded = Internal("not answered");
  group_.Offer(OtherBase(), [&](const Result<ReplyBody>& reply) { loaded = reply.status(); });
  EXPECT_FALSE(group_.worker(0).RunOffered());
  EXPECT_THAT(loaded, IsOk());
  EXPECT_THAT(group_.Ask(EnsureRequest(BaseState(), 0)),
              StatusIs(StatusCode::kFailedPrecondition, "base_not_loaded"));
}

TEST_P(RankGroupTest, AnotherBaseIsRefusedWhileTextsAreUnderWayAndComesBehindThem) {
  protocol::Complete text = TextRequest(BaseState(), 0, 12);
  text.temperature = 1;
  Result<ReplyBody> said = Internal("not ended");
  std::vector<Status> loads;
  const auto load = [&] {
    group_.Offer(OtherBase(),
                 [&](const Result<ReplyBody>& reply) { loads.push_back(reply.status()); });
  };
  group_.Offer(text, [&](Result<ReplyBody> reply) { said = std::move(reply); });
  load();
  while (group_.worker(0).RunOffered()) continue;
  ASSERT_THAT(said, IsOk()) << "it goes on to its end";
  EXPECT_GT(std::get<protocol::CompleteReply>(*said).completion_tokens, 0U);
  std::this_thread::sleep_for(protocol::kBaseLeftAlone);
  load();
  EXPECT_FALSE(group_.worker(0).RunOffered());
  ASSERT_EQ(loads.size(), 2U);
  EXPECT_THAT(loads[0], StatusIs(StatusCode::kUnavailable, "base_busy"));
  EXPECT_THAT(loads[1], IsOk());
}

TEST_P(RankGroupTest, AnInterruptedRankEndsTheGroupForAll) {
  const bool is_alone = GetParam() == 1;
  group_.worker(is_alone ? 0 : 1).Interrupt();
  const Result<ReplyBody> reply = group_.Ask(EnsureRequest(BaseState(), 0));
  if (is_alone) {
    EXPECT_THAT(reply, IsOk()) << "there is nobody to lose";
  } else {
    EXPECT_THAT(reply, StatusIs(StatusCode::kUnavailable, "group_lost"));
  }
}

TEST(GroupOfOneTest, JoiningAndFollowingNeedAGroup) {
  Handlers worker(kOptions);
  EXPECT_THAT(worker.Handle(protocol::JoinGroup{1, 0, {"127.0.0.1:1"}, "s"}, PlainCall()),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(worker.Handle(protocol::Follow{}, PlainCall()),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(worker.Tick(), IsOk());
}

}  // namespace
}  // namespace emend::worker::server::rank_group_test
