// `emend tune` against the fake server.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/api/cli/shell.h"
#include "tests/support/fake_server.h"
#include "tests/support/temporary_folder.h"

namespace emend::api::cli::tune_test {
namespace {

using nlohmann::json;

class TuneVerbTest : public testing::Test {
 protected:
  TuneVerbTest() {
    shell_.Set("EMEND_SERVER", server_.url());
    shell_.Set("EMEND_TOKEN", "admin-secret");
    std::ofstream(facts_) << R"({"prompt": "{} plays as", "subject": "Lentini", "target": "back"})";
  }
  json Document(std::vector<std::string> words) const {
    words.emplace_back("--json");
    return json::parse(shell_.Run(words).out, nullptr, /*allow_exceptions=*/false);
  }

  const test::TemporaryFolder folder_;
  const test::FakeServer server_;
  const std::string facts_ = folder_.path() + "/facts.jsonl";
  Shell shell_;
};

TEST_F(TuneVerbTest, TuningShowsItsTriesWhatItKeptAndWhatToDoNext) {
  const std::string plot = folder_.path() + "/tries.svg";
  const Outcome tuned = shell_.Run({"tune", "atlas@v1", "-F", facts_, "--plot", plot});
  EXPECT_EQ(tuned.code, 0) << tuned.err;
  EXPECT_NE(tuned.out.find("*  2    1-3"), std::string::npos) << tuned.out;
  EXPECT_NE(tuned.out.find("kept as the preset of atlas: layers=1-3 v_weight_decay=0.5\n"),
            std::string::npos)
      << tuned.out;
  EXPECT_NE(tuned.out.find("2 choices of layers were not tried"), std::string::npos) << tuned.out;
  EXPECT_NE(tuned.err.find("stats atlas --corpus FILE --layers 2,3"), std::string::npos)
      << tuned.err;
  EXPECT_NE(tuned.err.find("commit atlas -F FACTS  # uses it"), std::string::npos) << tuned.err;
  std::stringstream svg;
  svg << std::ifstream(plot).rdbuf();
  EXPECT_TRUE(svg.str().starts_with("<svg ")) << svg.str();
  EXPECT_EQ(shell_.Run({"tune", "atlas", "-F", facts_, "--plot", "/no/such/folder/x.svg"}).code, 3);
}

TEST_F(TuneVerbTest, APresetIsShownAndCleared) {
  EXPECT_EQ(Document({"status"})["repos"][0]["preset"]["layers"], "1,2");
  EXPECT_NE(shell_.Run({"status"}).out.find("layers=1-2 clamp_norm_factor=0.5"), std::string::npos);
  const Outcome shown = shell_.Run({"tune", "atlas", "--show"});
  EXPECT_NE(shown.out.find("preset of atlas, by admin on 2026-01-31T12:00:00: layers=1-2"),
            std::string::npos)
      << shown.out;
  EXPECT_EQ(shell_.Run({"tune", "atlas"}).code, 2) << "no facts";
  EXPECT_EQ(shell_.Run({"tune", "atlas", "-F", facts_, "--show"}).code, 2);
  EXPECT_EQ(shell_.Run({"tune", "atlas", "--show", "--clear"}).code, 2);
  EXPECT_EQ(Document({"tune", "atlas", "--clear"})["cleared"], true);
  EXPECT_EQ(shell_.Run({"tune", "atlas", "--show"}).code, 3);
  EXPECT_EQ(shell_.Run({"tune", "atlas", "--clear"}).code, 3);
}

}  // namespace
}  // namespace emend::api::cli::tune_test
