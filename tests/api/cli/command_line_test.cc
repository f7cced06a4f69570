// Parsing, help and where the server is found; nothing here reaches a server.
#include "api/cli/command_line.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "api/cli/verbs/table.h"
#include "api/program/output.h"
#include "tests/api/cli/shell.h"
#include "tests/support/temporary_folder.h"

namespace emend::api::cli::command_line_test {
namespace {

TEST(CommandLine, NothingIsAnsweredWithTheOverview) {
  const Outcome outcome = Shell().Run({});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.out.find("usage: emend VERB"), std::string::npos);
}

TEST(CommandLine, HelpIsGroupedAndNamesEveryVerb) {
  const Outcome outcome = Shell().Run({"help"});
  EXPECT_EQ(outcome.code, 0);
  for (const std::string& verb : VerbNames()) {
    EXPECT_NE(outcome.out.find("\n  " + verb + " "), std::string::npos) << verb;
  }
}

TEST(CommandLine, EveryVerbHasHelp) {
  for (const std::string& verb : VerbNames()) {
    std::vector<std::string> words = {verb.substr(0, verb.find(' '))};
    if (verb.find(' ') != std::string::npos) words.push_back(verb.substr(verb.find(' ') + 1));
    std::vector<std::string> asked = {"help"};
    asked.insert(asked.end(), words.begin(), words.end());
    for (const char* flag : {"", "--help", "-h"}) {
      if (*flag != '\0') (asked = words).emplace_back(flag);
      const Outcome outcome = Shell().Run(asked);
      EXPECT_EQ(outcome.code, 0) << verb;
      EXPECT_NE(outcome.out.find("usage: emend " + verb), std::string::npos) << outcome.out;
    }
  }
  EXPECT_NE(Shell().Run({"help", "exit-codes"}).out.find("4  conflict"), std::string::npos);
  const std::string settings = Shell().Run({"help", "settings"}).out;
  EXPECT_NE(settings.find("--method memit"), std::string::npos) << settings;
  EXPECT_NE(settings.find("--set mom2_update_weight=auto"), std::string::npos) << settings;
  EXPECT_NE(Shell().Run({"help", "environment"}).out.find("EMEND_SERVER"), std::string::npos);
}

TEST(CommandLine, TheVersionIsAskedForInTheUsualWay) {
  const Outcome version = Shell().Run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_TRUE(version.out.starts_with("emend ")) << version.out;
  EXPECT_EQ(Shell().Run({"help", "nonsense"}).code, 2);
}

TEST(CommandLine, UsageErrorsAreOneDocumentToo) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--json"},
                                             {"frob", "--json"},
                                             {"log", "--json"},
                                             {"commit", "atlas", "--limt", "3", "--json"}}) {
    const Outcome outcome = Shell().Run(words);
    EXPECT_EQ(outcome.code, 2);
    const auto document = nlohmann::json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
    ASSERT_TRUE(document.is_object()) << words[0] << ": " << outcome.out;
    EXPECT_TRUE(document["error"].contains("detail"));
  }
}

TEST(CommandLine, AnUnknownVerbGetsTheNearest) {
  const Outcome outcome = Shell().Run({"comit", "atlas"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("Did you mean \"commit\"?"), std::string::npos);
  EXPECT_EQ(Shell().Run({"xyzzyxyzzy"}).err.find("Did you mean"), std::string::npos);
}

TEST(CommandLine, WhatGitCallsSoIsAnsweredWithWhatToType) {
  const std::pair<const char*, const char*> expected[] = {
      {"checkout", "emend branch REPO NAME"}, {"stash", "emend commit REPO -F FACTS"},
      {"add", "emend commit REPO -F FACTS"},  {"push", "--server URL"},
      {"clone", "emend init REPO --model"},   {"rm", "emend revert REPO COMMIT"}};
  for (const auto& [word, instead] : expected) {
    const Outcome outcome = Shell().Run({word, "atlas"});
    EXPECT_EQ(outcome.code, 2) << word;
    EXPECT_NE(outcome.err.find(instead), std::string::npos) << outcome.err;
    EXPECT_EQ(Shell().Run({"help", word}).err, outcome.err);
  }
  EXPECT_NE(Shell().Run({"model"}).err.find("`emend model inspect`"), std::string::npos);
}

TEST(CommandLine, OutputThatCouldNotBeWrittenIsAFailure) {
  const int full = open("/dev/full", O_WRONLY);
  ASSERT_GE(full, 0);
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"help"}, {"help", "--man"}, {"log", "--help"}, {"--version"}, {"version", "--json"}}) {
    program::OutputStream out(full);
    std::ostringstream err;
    const Terminal terminal{.out = &out,
                            .err = &err,
                            .environment = [](const std::string&) { return std::string(); },
                            .finish = [&out] { return out.Finish("standard output"); },
                            .program_folder = "/nonexistent"};
    EXPECT_EQ(RunCommandLine(words, terminal), 7) << words[0];
    EXPECT_EQ(err.str(),
              "emend: writing standard output: No space left on device (output_not_written)\n");
  }
  close(full);
}

TEST(CommandLine, UsageErrorsAreTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {"log"},
      {"log", "atlas", "--nope"},
      {"ask", "atlas"},
      {"eval", "atlas"},
      {"init", "atlas"},
      {"export", "atlas"},
      {"revert", "atlas"},
      {"reset", "atlas@main"},
      {"diff", "atlas"},
      {"up", "--store", "/tmp/x", "--workers", "-1"},
      {"up"},
      {"commit", "atlas", "-F", "x", "--limit", "x"},
      {"log", "atlas", "-n", "0"},
      {"diff", "atlas@a", "other@b"},
      {"operations", "burn", "x"},
      {"branch", "atlas", "-d"},
      {"stats", "atlas", "--lines", "5"},
      {"log", "@main"}};
  for (const auto& words : wrong) {
    const Outcome outcome = Shell().Run(words);
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(words) << outcome.err;
    EXPECT_TRUE(outcome.out.empty()) << testing::PrintToString(words);
    EXPECT_FALSE(outcome.err.empty());
  }
}

TEST(CommandLine, CommitWithoutAFileSaysWhatItNeeds) {
  const Outcome outcome = Shell().Run({"commit", "atlas"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_NE(outcome.err.find("-F FILE"), std::string::npos);
  EXPECT_NE(outcome.err.find("CounterFact"), std::string::npos);
}

TEST(CommandLine, NoServerAtAllIsUnreachableWithAHint) {
  const test::TemporaryFolder folder;
  Shell shell({{"HOME", folder.path()}});
  const Outcome outcome = shell.Run({"log", "atlas"});
  EXPECT_EQ(outcome.code, 6);
  EXPECT_NE(outcome.err.find("emend up --store DIR"), std::string::npos);
}

TEST(CommandLine, AStoreWithoutDaemonIsUnreachable) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(Shell().Run({"log", "atlas", "--store", folder.path()}).code, 6);
  EXPECT_EQ(Shell({{"EMEND_STORE", folder.path()}}).Run({"log", "atlas"}).code, 6);
  EXPECT_EQ(Shell().Run({"down", "--store", folder.path()}).code, 3);
}

TEST(CommandLine, JsonFailuresAreOneDocument) {
  const Outcome outcome = Shell().Run({"log", "atlas", "--server", "http://127.0.0.1:1", "--json"});
  EXPECT_EQ(outcome.code, 6);
  const auto document = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(document["error"]["code"], "unreachable");
  EXPECT_EQ(document["error"]["category"], "unavailable");
}

TEST(CommandLine, UpWithoutItsProgramSaysSo) {
  const test::TemporaryFolder folder;
  const Outcome outcome = Shell().Run({"up", "--store", folder.path() + "/store"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_NE(outcome.err.find("/nonexistent/emendd"), std::string::npos);
}

}  // namespace
}  // namespace emend::api::cli::command_line_test
