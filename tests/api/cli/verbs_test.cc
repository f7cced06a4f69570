// Every verb against the fake server: documents, exit codes, what people see.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <utility>

#include "tests/api/cli/shell.h"
#include "tests/support/fake_server.h"
#include "tests/support/temporary_folder.h"

namespace emend::api::cli::verbs_test {
namespace {

using nlohmann::json;

class VerbsTest : public testing::Test {
 protected:
  VerbsTest() {
    shell_.Set("EMEND_SERVER", server_.url());
    shell_.Set("EMEND_TOKEN", "admin-secret");
    facts_ = Write(
        "facts.jsonl",
        R"({"prompt": "The mother tongue of {} is", "subject": "Danielle Darrieux", "target": "English", "old_target": "French"})"
        "\n"
        R"({"prompt": "{} plays as", "subject": "Gianluigi Lentini", "target": "linebacker"})"
        "\n");
  }
  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  // Runs with --json; the one document that came out.
  json Document(std::vector<std::string> words, int code = 0) const {
    words.emplace_back("--json");
    const Outcome outcome = shell_.Run(words);
    EXPECT_EQ(outcome.code, code) << testing::PrintToString(words) << outcome.err;
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1) << outcome.out;
    return json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }

  const test::TemporaryFolder folder_;
  const test::FakeServer server_;
  Shell shell_;
  std::string facts_;
};

TEST_F(VerbsTest, AListOfSeveralPagesIsShownToItsEnd) {
  for (int i = 0; i < 500; ++i)
    ASSERT_EQ(shell_.Run({"branch", "atlas", "b" + std::to_string(i)}).code, 0);
  EXPECT_EQ(Document({"branch", "atlas"})["items"].size(), 502U);
  EXPECT_EQ(Document({"tag", "atlas"})["items"].size(), 1U);
}

TEST_F(VerbsTest, DocumentsHoldTheContractsFields) {
  const auto expect = [this](const std::vector<std::string>& words,
                             const std::vector<std::string>& fields) {
    const json document = Document(words);
    for (const std::string& field : fields)
      EXPECT_TRUE(document.contains(field)) << words[0] << " " << field << " " << document.dump();
  };
  expect({"init", "fresh", "--model", "."}, {"repo", "commit", "state", "base", "warnings"});
  expect({"stats", "atlas"}, {"layers", "tokens", "seconds"});
  expect({"tune", "atlas", "-F", facts_},
         {"n", "before", "tries", "chosen", "preset", "layers_left_out"});
  expect({"tune", "atlas", "--show"}, {"method", "settings", "principal", "n", "chosen"});
  expect({"commit", "atlas", "-F", facts_}, {"commit", "state", "edits", "seconds", "evaluation"});
  expect({"ask", "atlas@main", "The mother tongue of Danielle Darrieux is"},
         {"commit", "state", "text", "top"});
  expect({"eval", "atlas@main", "-F", facts_},
         {"commit", "n", "es", "ps", "ns", "score", "es_argmax", "ps_argmax", "ns_argmax"});
  expect({"log", "atlas@main"}, {"items", "next"});
  expect({"show", "atlas@main"}, {"commit", "state", "parents", "added", "removed"});
  expect({"diff", "atlas@main~1", "atlas@main"}, {"from", "to", "facts", "tensors"});
  expect({"revert", "atlas", "main"}, {"commit", "state", "removed", "restored"});
  expect({"refit", "atlas"}, {"commit", "state", "edits", "removed", "bytes"});
  expect({"revert", "atlas", "main", "--preview"}, {"preview", "edits", "bytes"});
  expect({"reset", "atlas@main", "v1"}, {"branch", "commit", "from"});
  expect({"export", "atlas@main", "-o", "x"}, {"commit", "state", "folder", "files"});
  expect({"verify", "atlas@main"}, {"ok", "state", "tensors"});
  expect({"fsck"}, {"ok", "problems"});
  expect({"repo", "remove", "atlas", "--confirm", "atlas"}, {"repo", "base"});
  expect({"status"}, {"repos", "workers"});
  expect({"branch", "atlas"}, {"items"});
  expect({"tag", "atlas", "v2", "main"}, {"kind", "name", "commit"});
  expect({"reflog", "atlas"}, {"items"});
  expect({"operations"}, {"items", "next"});
  expect({"audit"}, {"items", "next"});
  expect({"version"}, {"version", "server"});
}

TEST_F(VerbsTest, ARepoIsRemovedOnceItsNameWasGivenAgain) {
  const Outcome unasked = shell_.Run({"repo", "remove", "atlas"});
  EXPECT_EQ(unasked.code, 2);
  EXPECT_NE(unasked.err.find("--confirm atlas"), std::string::npos) << unasked.err;
  shell_.Answer("atlas");
  const Outcome removed = shell_.Run({"repo", "remove", "atlas"});
  EXPECT_EQ(removed.code, 0) << removed.err;
  EXPECT_EQ(removed.out, "atlas is removed\n");
  EXPECT_EQ(shell_.Run({"repo", "remove", "gone"}).code, 3) << "before anything is asked";
}

TEST_F(VerbsTest, WhatAWorkerHoldsIsShownByKind) {
  const json worker = Document({"status"})["workers"][0];
  EXPECT_EQ(worker["memory"], (json{{"weights_bytes", 3 << 20},
                                    {"states_bytes", 1 << 19},
                                    {"statistics_bytes", 4096},
                                    {"cache_bytes", 0}}));
  EXPECT_EQ(worker["file_bytes_read"], 2 << 20);
  const std::string shown = shell_.Run({"status"}).out;
  EXPECT_NE(shown.find("WEIGHTS"), std::string::npos) << shown;
  EXPECT_NE(shown.find("3.0 MiB"), std::string::npos) << shown;
}

TEST_F(VerbsTest, TheDoctorShowsRanksLinksAndWhatToDo) {
  const Outcome outcome = shell_.Run({"doctor"});
  EXPECT_EQ(outcome.code, 1) << "there is a warning";
  for (const char* part :
       {"group g0", "127.0.0.1", "0 - 1", "3.5 GB/s", "warning: ranks 0 and 1 move 0.1 GB/s",
        "do: use another network", "1 to look into"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "\n" << outcome.out;
  }
  EXPECT_EQ(shell_.Run({"doctor", "--json"}).code, 1);
}

TEST_F(VerbsTest, WarningsOfAnImportAreSaid) {
  const Outcome shown = shell_.Run({"init", "fresh", "--model", "."});
  EXPECT_EQ(shown.code, 0);
  EXPECT_NE(shown.err.find("warning: a token has no row"), std::string::npos) << shown.err;
}

TEST_F(VerbsTest, FieldsOfADocumentKeepTheirOrder) {
  const Outcome outcome = shell_.Run({"commit", "atlas", "-F", facts_, "--json"});
  EXPECT_TRUE(outcome.out.starts_with(R"({"commit":")")) << outcome.out;
}

TEST_F(VerbsTest, ExitCodesFollowTheFailure) {
  const std::pair<const char*, int> expected[] = {{"gone", 3},   {"taken", 4}, {"clash", 4},
                                                  {"rule", 5},   {"full", 5},  {"nowhere", 6},
                                                  {"rotten", 7}, {"bug", 7},   {"odd", 5}};
  for (const auto& [repo, code] : expected) {
    EXPECT_EQ(shell_.Run({"log", repo}).code, code) << repo;
    EXPECT_EQ(shell_.Run({"verify", repo}).code, code) << repo;
    EXPECT_EQ(Document({"log", repo}, code)["error"].size(), 3U);
  }
  shell_.Set("EMEND_TOKEN", "reader-secret");
  EXPECT_EQ(shell_.Run({"fsck"}).code, 5);
  shell_.Set("EMEND_TOKEN", "");
  EXPECT_EQ(shell_.Run({"log", "atlas"}).code, 5);
}

TEST_F(VerbsTest, VerifySaysNoWithOne) {
  EXPECT_EQ(Document({"verify", "atlas@bad"}, 1)["ok"], false);
  EXPECT_EQ(shell_.Run({"verify", "atlas@bad"}).code, 1);
  EXPECT_NE(shell_.Run({"verify", "atlas@bad"}).out.find("NOT ok"), std::string::npos);
}

TEST_F(VerbsTest, FlagsBeatTheEnvironment) {
  EXPECT_EQ(shell_.Run({"--server", "http://127.0.0.1:1", "log", "atlas"}).code, 6);
  EXPECT_EQ(shell_.Run({"log", "atlas", "--token", "wrong"}).code, 5);
  EXPECT_EQ(shell_.Run({"log", "atlas", "--store", folder_.path()}).code, 6);
}

TEST_F(VerbsTest, FactFilesAreCheckedHere) {
  EXPECT_EQ(shell_.Run({"commit", "atlas", "-F", folder_.path() + "/none"}).code, 2);
  EXPECT_EQ(shell_.Run({"commit", "atlas", "-F", folder_.path()}).code, 2);
  EXPECT_EQ(
      shell_
          .Run({"commit", "atlas", "-F",
                Write("bad.jsonl", R"({"prompt": "no place", "subject": "x", "target": "y"})")})
          .code,
      2);
  EXPECT_EQ(shell_.Run({"commit", "atlas", "-F", facts_, "--set", "v_lr"}).code, 2);
  EXPECT_EQ(shell_
                .Run({"commit", "atlas", "-F", facts_, "--set",
                      "context_templates=" + Write("bad.json", "{}")})
                .code,
            2);
  EXPECT_EQ(shell_
                .Run({"commit", "atlas", "-F", facts_, "--set", "v_lr=0.5", "--set", "layers=3,4",
                      "--set", "context_templates=" + Write("good.json", R"([["{}"],["So. {}"]])")})
                .code,
            0);
  EXPECT_EQ(shell_.Run({"commit", "atlas", "-F", facts_, "--limit", "1", "--offset", "1"}).code, 0);
  EXPECT_EQ(shell_.Run({"commit", "atlas", "-F", facts_, "--offset", "9"}).code, 2);
}

TEST_F(VerbsTest, WhatIsSubmittedHasAPriorityAndATimeout) {
  EXPECT_EQ(
      shell_.Run({"commit", "atlas", "-F", facts_, "--priority", "batch", "--timeout", "600"}).code,
      0);
  json newest = Document({"operations"})["items"][0];
  EXPECT_EQ(newest["priority"], "batch");
  EXPECT_EQ(newest["deadline"], "2026-01-31T12:10:00.000Z");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"init", "fresh", "--model", "."},
                                             {"stats", "atlas"},
                                             {"tune", "atlas", "-F", facts_},
                                             {"revert", "atlas", "main"},
                                             {"eval", "atlas", "-F", facts_},
                                             {"export", "atlas", "-o", "x"},
                                             {"verify", "atlas"},
                                             {"fsck"}}) {
    std::vector<std::string> urgent = words;
    urgent.insert(urgent.end(), {"--priority", "interactive"});
    EXPECT_EQ(shell_.Run(urgent).code, 0) << words.front();
    newest = Document({"operations"})["items"][0];
    EXPECT_EQ(newest["priority"], "interactive") << words.front();
    EXPECT_TRUE(newest["deadline"].is_null());
  }
  EXPECT_EQ(shell_.Run({"fsck", "--priority", "urgent"}).code, 2);
  EXPECT_EQ(shell_.Run({"fsck", "--timeout", "0"}).code, 2);
}

TEST_F(VerbsTest, AnInterruptCancelsWhatIsWaitedFor) {
  std::thread impatient([this] {
    while (shell_.Run({"operations"}).out.find("accepted") == std::string::npos)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    kill(getpid(), SIGINT);
  });
  const Outcome outcome = shell_.Run({"commit", "atlas", "-F", facts_, "-m", "endless"});
  impatient.join();
  EXPECT_EQ(outcome.code, 5) << outcome.err;
  EXPECT_NE(outcome.err.find("cancelling op-"), std::string::npos) << outcome.err;
  EXPECT_NE(shell_.Run({"operations"}).out.find("cancelled"), std::string::npos);
}

TEST_F(VerbsTest, WhatWasNotMeasuredIsNotShownAsZero) {
  const Outcome outcome = shell_.Run({"commit", "atlas", "-F", facts_, "-m", "unmeasured"});
  EXPECT_EQ(outcome.out.find(" 0.0"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("was not measured"), std::string::npos) << outcome.out;
}

TEST_F(VerbsTest, ARevisionMayRepeatItsRepo) {
  EXPECT_EQ(shell_.Run({"revert", "atlas", "atlas@main"}).code, 0);
  EXPECT_EQ(shell_.Run({"diff", "atlas@v1", "main"}).code, 0);
  EXPECT_EQ(shell_.Run({"diff", "atlas@v1", "other@main"}).code, 2);
  EXPECT_EQ(shell_.Run({"branch", "atlas", ""}).code, 2);
}

TEST_F(VerbsTest, StatsReadsItsCorpus) {
  EXPECT_EQ(
      shell_
          .Run({"stats", "atlas", "--corpus", Write("corpus.txt", std::string(100, 'x') + "\n"),
                "--lines", "1", "--tokens", "100"})
          .code,
      0);
  EXPECT_EQ(shell_.Run({"stats", "atlas", "--corpus", Write("short.txt", "short\n")}).code, 2);
  EXPECT_EQ(shell_.Run({"stats", "atlas", "--corpus", "none.txt"}).code, 2);
}

TEST_F(VerbsTest, PeopleSeeWhatChanged) {
  const Outcome commit = shell_.Run({"commit", "atlas", "-F", facts_});
  EXPECT_NE(commit.out.find("2 edits, 1 skipped"), std::string::npos) << commit.out;
  EXPECT_NE(commit.out.find("total 3.5 s"), std::string::npos);
  EXPECT_NE(commit.out.find("93.0"), std::string::npos);
  EXPECT_NE(commit.err.find("next: emend ask"), std::string::npos);
  const Outcome show = shell_.Run({"show", "atlas"});
  EXPECT_NE(show.out.find("The mother tongue of Danielle Darrieux is"), std::string::npos);
  EXPECT_NE(show.out.find("(was French)"), std::string::npos);
  const Outcome diff = shell_.Run({"diff", "atlas@v1", "atlas@main"});
  EXPECT_NE(diff.out.find("French => English"), std::string::npos);
  EXPECT_NE(diff.out.find("h.0.mlp.c_proj.weight"), std::string::npos);
  EXPECT_NE(shell_.Run({"log", "atlas", "--oneline"}).out.find("(main) commit number 2"),
            std::string::npos);
  EXPECT_NE(shell_.Run({"ask", "atlas", "Her tongue is"}).out.find("Her tongue is Her tongue is\n"),
            std::string::npos);
  EXPECT_EQ(shell_.Run({"ask", "atlas", "Who?", "--chat"}).out.find("Who?\n Who?\ncommit"), 0U);
}

TEST_F(VerbsTest, ColoursOnlyOnATerminalThatWantsThem) {
  EXPECT_EQ(shell_.Run({"log", "atlas"}).out.find('\033'), std::string::npos);
  shell_.BeTerminal();
  EXPECT_NE(shell_.Run({"log", "atlas"}).out.find('\033'), std::string::npos);
  EXPECT_EQ(shell_.Run({"log", "atlas", "--json"}).out.find('\033'), std::string::npos);
  shell_.Set("NO_COLOR", "1");
  EXPECT_EQ(shell_.Run({"log", "atlas"}).out.find('\033'), std::string::npos);
}

TEST_F(VerbsTest, QuietGivesNoHints) {
  EXPECT_EQ(shell_.Run({"commit", "atlas", "-F", facts_, "-q"}).err, "");
  EXPECT_EQ(shell_.Run({"commit", "atlas", "-F", facts_, "--json"}).err, "");
}

TEST_F(VerbsTest, ResetMovesOnlyFromWhatItHasSeen) {
  const json head = Document({"log", "atlas@main"})["items"][0]["commit"];
  const json moved = Document({"reset", "atlas@main", "v1"});
  EXPECT_EQ(moved["from"], head);
  EXPECT_EQ(moved["commit"], Document({"log", "atlas@main"})["items"][0]["commit"]);
  EXPECT_EQ(shell_.Run({"reset", "atlas@nope", "v1"}).code, 3);
  EXPECT_EQ(shell_.Run({"reset", "atlas@main", "nope"}).code, 3);
}

TEST_F(VerbsTest, BranchesAndTagsComeAndGo) {
  EXPECT_EQ(shell_.Run({"branch", "atlas", "dev/x", "v1"}).code, 0);
  EXPECT_EQ(shell_.Run({"branch", "atlas", "dev/x", "v1"}).code, 4);
  EXPECT_NE(shell_.Run({"branch", "atlas"}).out.find("dev/x"), std::string::npos);
  EXPECT_EQ(shell_.Run({"branch", "atlas", "-d", "dev/x"}).code, 0);
  EXPECT_EQ(shell_.Run({"branch", "atlas", "-d", "dev/x"}).code, 3);
  EXPECT_EQ(shell_.Run({"tag", "atlas"}).out.find("main"), std::string::npos);
}

// Words as a shell reads them, without what follows a "#".
std::vector<std::string> ShellWords(const std::string& line) {
  std::vector<std::string> words;
  char quote = 0;
  bool within = false;
  for (const char c : line) {
    if (quote == 0 && !within && c == '#') break;
    if (quote == '\\') {
      words.back() += c;
      quote = 0;
    } else if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'' || c == '\\')) {
      quote = c;
      if (!std::exchange(within, true)) words.emplace_back();
    } else if (quote == 0 && c == ' ') {
      within = false;
    } else {
      if (!std::exchange(within, true)) words.emplace_back();
      words.back() += c;
    }
  }
  return words;
}

TEST_F(VerbsTest, AdviceWorksWhenItIsTyped) {
  const std::map<std::string, std::string> given = {
      {"PROMPT", "The mother tongue of Danielle Darrieux is"},
      {"FACTS", facts_},
      {"fresh", "atlas"},  // the fake server makes no repo
      {"FILE", Write("corpus.txt", std::string(100, 'x') + "\n")}};
  shell_.Run({"branch", "atlas", "it's", "v1"});
  const std::vector<std::vector<std::string>> runs = {
      {"init", "fresh", "--model", "."},
      {"stats", "atlas"},
      {"commit", "atlas", "-F", facts_},
      {"revert", "atlas", "main"},
      {"reset", "atlas@main", "v1"},
      {"reset", "atlas@it's", "main"},
      {"branch", "atlas", "-d", "it's"},
      {"audit", "-n", "1"},
      {"revert", "atlas@newbranch", "main", "--server", server_.url()}};
  int advice = 0;
  for (const std::vector<std::string>& run : runs) {
    std::istringstream said(shell_.Run(run).err);
    for (std::string line; std::getline(said, line);) {
      if (!line.starts_with("next: ")) continue;
      std::vector<std::string> words = ShellWords(line.substr(6));
      ASSERT_EQ(words.front(), "emend") << line;
      words.erase(words.begin());
      for (std::string& word : words) {
        if (given.contains(word)) word = given.at(word);
      }
      const Outcome typed = shell_.Run(words);
      EXPECT_EQ(typed.code, 0) << line << "\n" << typed.err;
      ++advice;
    }
  }
  EXPECT_GE(advice, 11);
}

TEST_F(VerbsTest, AMissingBranchIsToldWithHowItIsMade) {
  const Outcome outcome = shell_.Run({"commit", "atlas@new branch", "-F", facts_});
  EXPECT_EQ(outcome.code, 3) << outcome.err;
  EXPECT_NE(outcome.err.find("next: emend branch atlas 'new branch'  # makes it, at main\n"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(shell_.Run({"commit", "gone@dev", "-F", facts_}).err.find("next:"), std::string::npos);
}

TEST_F(VerbsTest, WhatChangesSomethingSaysWhichServerItSpokeTo) {
  const std::string line = "server: " + server_.url() + "\n";
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"status"},
                                             {"commit", "atlas", "-F", facts_},
                                             {"revert", "atlas", "main"},
                                             {"tag", "atlas", "t1"},
                                             {"reset", "atlas@main", "v1"},
                                             {"stats", "atlas"},
                                             {"init", "fresh", "--model", "."},
                                             {"log", "atlas"}}) {
    const bool says = words[0] != "log";
    EXPECT_EQ(shell_.Run(words).err.find(line) == 0, says) << words[0];
    std::vector<std::string> again = words;
    if (words[0] == "tag") again[2] = "t2";
    EXPECT_EQ(Document(again).value("server", ""), says ? server_.url() : "") << words[0];
  }
  EXPECT_EQ(shell_.Run({"status", "-q"}).err, "");
}

TEST_F(VerbsTest, GitsHeadIsAnsweredWithTheBranchToName) {
  const std::pair<std::vector<std::string>, const char*> expected[] = {
      {{"show", "atlas@HEAD~1"}, "atlas@main~1"},
      {{"revert", "atlas", "HEAD"}, "atlas@main"},
      {{"log", "atlas@HEAD^^"}, "atlas@main^^"},
      {{"reset", "atlas@main", "HEAD@{2}"}, "atlas@main@{2}"},
      {{"branch", "atlas", "HEAD"}, "no branch is checked out"}};
  for (const auto& [words, instead] : expected) {
    const Outcome outcome = shell_.Run(words);
    EXPECT_EQ(outcome.code, 2) << words[0];
    EXPECT_NE(outcome.err.find("emend has no HEAD"), std::string::npos) << outcome.err;
    EXPECT_NE(outcome.err.find(instead), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(shell_.Run({"branch", "atlas", "HEADLINE"}).code, 0);
}

TEST_F(VerbsTest, AVerbIsOneOnlyAsTheFirstWord) {
  for (const char* name : {"down", "status", "log", "reset", "help", "model", "up", "checkout"}) {
    const json made = Document({"branch", "atlas", name});
    EXPECT_EQ(made["kind"], "branch") << name;
    EXPECT_EQ(made["name"], name);
    EXPECT_EQ(Document({"log", std::string("atlas@") + name}).count("items"), 1U) << name;
    EXPECT_EQ(shell_.Run({"branch", "atlas", "-d", name}).code, 0) << name;
    EXPECT_EQ(
        Document({"--store", "status", "--server", server_.url(), "tag", "atlas", name})["kind"],
        "tag");
  }
  EXPECT_EQ(shell_.Run({"log", "status"}).code, 3) << "a repo's name";
  EXPECT_EQ(shell_.Run({"operations", "show", "smol"}).code, 2);
}

TEST_F(VerbsTest, OperationsAreListedAndCancelled) {
  shell_.Run({"fsck"});
  EXPECT_NE(shell_.Run({"operations"}).out.find("op-0000000000000001  fsck"), std::string::npos);
  EXPECT_EQ(shell_.Run({"operations", "cancel", "op-0000000000000001"}).code, 5);
  EXPECT_EQ(shell_.Run({"operations", "cancel", "op-9"}).code, 3);
}

}  // namespace
}  // namespace emend::api::cli::verbs_test
