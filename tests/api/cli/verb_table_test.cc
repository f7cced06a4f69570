// The table of verbs, and what is made from it: the page of the docs, the manual, completion.
#include "api/cli/verbs/table.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#include "api/cli/completion.h"
#include "api/cli/help.h"
#include "tests/api/cli/shell.h"
#include "tests/support/temporary_folder.h"

namespace emend::api::cli::verb_table_test {
namespace {

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string OutputOf(const std::string& command) {
  std::string output;
  FILE* const pipe = popen(command.c_str(), "r");
  for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe)) != EOF;) output += static_cast<char>(c);
  EXPECT_EQ(pipe == nullptr ? -1 : pclose(pipe), 0) << command;
  return output;
}

TEST(VerbTable, NamesAreUniqueAndGroupsStandTogether) {
  std::set<std::string_view> names;
  Group group = Group::kServe;
  for (const Verb& verb : AllVerbs()) {
    EXPECT_TRUE(names.insert(verb.name).second) << verb.name;
    EXPECT_GE(verb.group, group) << verb.name;
    group = verb.group;
    EXPECT_FALSE(verb.summary.empty()) << verb.name;
    EXPECT_FALSE(verb.document.empty()) << verb.name;
    EXPECT_LE(verb.summary.size(), 75U) << verb.name;
  }
}

// With EMEND_WRITE_GOLDEN the page is written anew.
TEST(VerbTable, ThePageOfTheDocsHoldsEveryVerbAndNoOther) {
  constexpr char kPage[] = "docs/reference/cli.md";
  constexpr std::string_view kHead = "| command | document |\n|---|---|\n";
  std::stringstream read;
  read << std::ifstream(kPage).rdbuf();
  const std::string page = read.str();
  std::string rows;
  for (const Verb& verb : AllVerbs())
    rows += "| `" + RenderUsage(verb) + "` | " + std::string(verb.document) + " |\n";
  const std::size_t begin = page.find(kHead) + kHead.size();
  const std::size_t end = page.find("\n\n", begin) + 1;
  if (std::getenv("EMEND_WRITE_GOLDEN") != nullptr)
    std::ofstream(kPage) << page.substr(0, begin) << rows << page.substr(end);
  EXPECT_EQ(LinesOf(page.substr(begin, end - begin)), LinesOf(rows));
}

TEST(VerbTable, TheManualIsOneThatManTakes) {
  const std::string manual = RenderManual();
  EXPECT_TRUE(manual.starts_with(".TH EMEND 1 "));
  for (const Verb& verb : AllVerbs()) {
    const std::string heading = ".B emend " + std::string(verb.name);
    EXPECT_NE(manual.find(heading), std::string::npos) << verb.name;
  }
  EXPECT_NE(manual.find(R"(.B \-F, \-\-file FILE)"), std::string::npos);
  for (const std::string& line : LinesOf(manual)) {
    const std::set<std::string> known = {".TH", ".SH", ".SS", ".TP", ".B",
                                         ".IP", ".RS", ".RE", ".nf", ".fi"};
    if (line.starts_with('.')) {
      EXPECT_TRUE(known.contains(line.substr(0, line.find(' ')))) << line;
    }
  }
  EXPECT_EQ(Shell().Run({"help", "--man"}).out, manual);
}

class BashCompletion : public testing::Test {
 protected:
  BashCompletion() { std::ofstream(folder_.path() + "/emend") << RenderCompletion("bash"); }
  // What bash offers at the end of the words.
  std::set<std::string> Offered(const std::string& words) const {
    const std::string script = folder_.path() + "/ask";
    std::ofstream(script) << "source " << folder_.path() << "/emend\n"
                          << "COMP_WORDS=(emend " << words << ")\n"
                          << "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                          << "_emend\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    std::set<std::string> offered;
    for (const std::string& line : LinesOf(OutputOf("bash " + script))) offered.insert(line);
    return offered;
  }
  const test::TemporaryFolder folder_;
};

TEST_F(BashCompletion, OffersVerbsTheirOptionsAndChoices) {
  EXPECT_EQ(Offered("comm"), std::set<std::string>{"commit"});
  EXPECT_EQ(Offered("model ''"), (std::set<std::string>{"--json", "--quiet", "--server", "--store",
                                                        "--token", "-q", "inspect", "synth"}));
  EXPECT_TRUE(Offered("model inspect --").contains("--ranks"));
  EXPECT_EQ(Offered("--store /tmp commit atlas --no"), std::set<std::string>{"--no-evaluation"});
  EXPECT_EQ(Offered("commit atlas --priority ''"),
            (std::set<std::string>{"batch", "interactive", "normal"}));
  EXPECT_EQ(Offered("completion ''").count("zsh"), 1U);
  EXPECT_EQ(Offered("init atlas --model /et"), std::set<std::string>{"/etc"});
  std::set<std::string> first = Offered("''");
  for (const std::string& name : VerbNames())
    EXPECT_TRUE(first.contains(name.substr(0, name.find(' ')))) << name;
}

TEST(Completion, EveryShellHearsOfEveryVerbAndOption) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = Shell().Run({"completion", shell});
    EXPECT_EQ(outcome.code, 0);
    for (const Verb& verb : AllVerbs()) {
      Arguments arguments;
      const Action unused = verb.bind(arguments);
      const std::string last(verb.name.substr(verb.name.find(' ') + 1));
      EXPECT_NE(outcome.out.find(last), std::string::npos) << shell << " " << verb.name;
      for (const Argument& argument : arguments.list()) {
        const std::string name = argument.each_name().back();
        const std::string bare = name.substr(std::min(name.find_first_not_of('-'), name.size()));
        const bool found = outcome.out.find(bare) != std::string::npos;
        EXPECT_TRUE(argument.is_place() || found) << shell << " " << name;
      }
    }
  }
  EXPECT_EQ(Shell().Run({"completion", "tcsh"}).code, 2);
}

}  // namespace
}  // namespace emend::api::cli::verb_table_test
