// The verbs about a model's files, which need no server.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/api/cli/shell.h"
#include "tests/support/gguf_model.h"
#include "tests/support/temporary_folder.h"

namespace emend::api::cli::model_verbs_test {
namespace {

using nlohmann::json;

class ModelVerbsTest : public testing::Test {
 protected:
  ModelVerbsTest() { shell_.Set("EMEND_SERVER", "http://127.0.0.1:1"); }

  // Runs with --json; the one document that came out.
  json Document(std::vector<std::string> words, int code = 0) const {
    words.emplace_back("--json");
    const Outcome outcome = shell_.Run(words);
    EXPECT_EQ(outcome.code, code) << testing::PrintToString(words) << outcome.err;
    return json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }

  Shell shell_;
};

TEST_F(ModelVerbsTest, AModelIsInspectedWithoutAServer) {
  const json document = Document({"model", "inspect", "docs/examples/atlas/model", "--ranks", "2",
                                  "--layers", "1,2", "--edits", "10", "--states", "3"});
  EXPECT_EQ(document["family"], "gpt2");
  EXPECT_EQ(document["layers"], (json{1, 2}));
  ASSERT_EQ(document["ranks"].size(), 2U);
  const json& rank = document["ranks"][1];
  EXPECT_EQ(rank["rank"], 1);
  std::uint64_t sum = 0;
  for (const char* kind : {"weights", "states", "statistics", "ledgers", "activations", "cache"})
    sum += rank[std::string(kind) + "_bytes"].get<std::uint64_t>();
  EXPECT_EQ(rank["total_bytes"], sum);
  EXPECT_EQ(document["total_bytes"],
            document["ranks"][0]["total_bytes"].get<std::uint64_t>() + sum);
  EXPECT_EQ(document["fits"], document["total_bytes"] <= document["machine_bytes"]);
  EXPECT_TRUE(rank.contains(document["largest_kind"].get<std::string>() + "_bytes"));

  const Outcome shown = shell_.Run({"model", "inspect", "docs/examples/atlas/model"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("WEIGHTS"), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("this machine"), std::string::npos) << shown.out;
}

TEST_F(ModelVerbsTest, AModelIsSynthesisedWithoutAServerAndCanBeInspected) {
  const test::TemporaryFolder folder;
  const std::string config = "docs/examples/atlas/model/config.json";
  const auto words = [&](const std::string& name) {
    return std::vector<std::string>{"model",  "synth", "--config", config,
                                    "--seed", "7",     "-o",       folder.path() + "/" + name};
  };
  std::vector<std::string> with_tokenizer = words("atlas");
  with_tokenizer.insert(with_tokenizer.end(), {"--tokenizer", "docs/examples/atlas/model"});
  const json document = Document(with_tokenizer);
  EXPECT_EQ(document["family"], "gpt2");
  EXPECT_EQ(document["seed"], 7);
  EXPECT_EQ(document["files"], (json{"config.json", "model.safetensors", "tokenizer.json"}));
  const json inspected = Document({"model", "inspect", folder.path() + "/atlas"});
  EXPECT_EQ(inspected["parameters"], document["parameters"]);
  EXPECT_EQ(Document(with_tokenizer, 4)["error"]["code"], "folder_not_empty");

  const Outcome shown = shell_.Run(words("bare"));
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_NE(shown.out.find("it has no tokenizer"), std::string::npos) << shown.out;
  EXPECT_EQ(Document({"model", "inspect", folder.path() + "/bare"}, 3)["error"]["code"],
            "not_found");
}

TEST_F(ModelVerbsTest, AGgufFileIsInspectedAsTheFolderThatItBecomes) {
  const test::TemporaryFolder folder;
  const std::string gguf = folder.path() + "/stories.gguf";
  std::ofstream(gguf, std::ios::binary) << test::StoriesGguf().Build();
  const json document = Document({"model", "inspect", gguf, "--layers", "1"});
  EXPECT_EQ(document["family"], "llama");
  EXPECT_EQ(document["parameters"], 260032);
  EXPECT_EQ(document["warnings"], json::array());
  std::ofstream(gguf, std::ios::binary) << "GGML";
  EXPECT_EQ(Document({"model", "inspect", gguf}, 2)["error"]["code"], "gguf_magic");
}

TEST_F(ModelVerbsTest, AModelThatNoWorkerCanLoadIsRefusedByInspectionInTheWorkersWords) {
  const json refused = Document({"model", "inspect", "tests/golden/stories260K"}, 3);
  EXPECT_NE(refused["error"]["detail"].get<std::string>().find("no tokenizer.json"),
            std::string::npos);
  const test::TemporaryFolder folder;
  std::filesystem::copy("docs/examples/atlas/model", folder.path());
  const json document = Document({"model", "inspect", folder.path()});
  EXPECT_EQ(document["warnings"], json::array());
  json config = json::parse(std::ifstream(folder.path() + "/config.json"));
  config["model_type"] = "mamba";
  std::ofstream(folder.path() + "/config.json") << config;
  EXPECT_EQ(Document({"model", "inspect", folder.path()}, 5)["error"]["code"], "unknown_family");
}

TEST_F(ModelVerbsTest, AModelThatCannotBeCutSoIsRefusedWithWhatCan) {
  const json refused =
      Document({"model", "inspect", "docs/examples/atlas/model", "--ranks", "3"}, 5);
  EXPECT_EQ(refused["error"]["code"], "uneven_heads");
  EXPECT_NE(refused["error"]["detail"].get<std::string>().find("1, 2, 4, 8 ranks would do"),
            std::string::npos);
  EXPECT_EQ(Document({"model", "inspect", "no/such/folder"}, 3)["error"]["code"], "not_found");
  EXPECT_EQ(shell_.Run({"model"}).code, 2);
  EXPECT_EQ(shell_.Run({"model", "inspect"}).code, 2);
}

}  // namespace
}  // namespace emend::api::cli::model_verbs_test
