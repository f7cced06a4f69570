// The batch as it is committed, quantised and rounded to the checkpoint's type, against the
// published code's scores on the same records.
#include <gtest/gtest.h>

#include "tests/support/plain_neighbours.h"
#include "tests/support/status_matchers.h"
#include "tests/worker/edit/atlas.h"
#include "tests/worker/edit/recording_committer.h"
#include "worker/eval/counterfact.h"

namespace emend::worker::edit::quality_test {
namespace {

constexpr double kPointsLost = 1.0;  // ES, PS and NS may be below the published code's by this much

std::vector<eval::EvalFact> Records(std::size_t count) {
  const nlohmann::json records = nlohmann::json::parse(ReadText("docs/examples/atlas/facts.json"));
  std::vector<eval::EvalFact> facts;
  for (std::size_t i = 0; i < count; ++i) {
    const nlohmann::json& rewrite = records[i].at("requested_rewrite");
    std::string prompt = rewrite.at("prompt");
    prompt.replace(prompt.find("{}"), 2, rewrite.at("subject").get<std::string>());
    facts.push_back({.prompt = prompt,
                     .paraphrases = records[i].at("paraphrase_prompts"),
                     .neighbours = test::PlainNeighbours(records[i].at("neighborhood_prompts")),
                     .target_new = rewrite.at("target_new").at("str"),
                     .target_true = rewrite.at("target_true").at("str").get<std::string>()});
  }
  return facts;
}

TEST(QualityTest, AHundredQuantisedEditsScoreAsThePublishedCodes) {
  const Atlas atlas;
  const MemitGolden golden;
  protocol::SolveSettings settings = golden.Settings();
  settings.v_bf16 = 1;
  const std::unique_ptr<Solver> solver = *NewSolver(
      "memit", std::make_shared<const Statistics>(atlas.KeptStatistics(settings.layers)));
  RecordingCommitter committer(atlas.Tensors(settings.layers));
  const std::vector<EditFact> facts = atlas.Facts(0, 100);
  ASSERT_OK_AND_ASSIGN(const BatchSolution solution, SolveBatch({.model = *atlas.model,
                                                                 .tokenizer = *atlas.tokenizer,
                                                                 .facts = facts,
                                                                 .settings = settings,
                                                                 .solver = *solver,
                                                                 .committer = committer}));
  std::size_t columns = 0;
  for (const EditSolution& edit : solution.edits) {
    for (const storage::delta::TensorDelta& delta : edit.delta.tensors)
      columns += delta.columns.size();
  }
  const std::unique_ptr<model::Transformer> edited =
      atlas.model->WithDownWeights(committer.weights);
  ASSERT_OK_AND_ASSIGN(const eval::EvalReport report,
                       eval::EvaluateFacts(*edited, *atlas.tokenizer, Records(100), {}));
  const nlohmann::json& published = golden.json.at("after");
  EXPECT_GE(report.es, published.at("ES").get<double>() - kPointsLost);
  EXPECT_GE(report.ps, published.at("PS").get<double>() - kPointsLost);
  EXPECT_GE(report.ns, published.at("NS").get<double>() - kPointsLost);
  std::printf("ES %.1f PS %.1f NS %.1f score %.2f, argmax %.1f %.1f %.1f; %zu columns\n", report.es,
              report.ps, report.ns, report.score, report.es_argmax, report.ps_argmax,
              report.ns_argmax, columns);
}

}  // namespace
}  // namespace emend::worker::edit::quality_test
