#include <array>
#include <cmath>
#include <cstdio>

#include "api/cli/commits.h"
#include "api/cli/revision.h"
#include "api/cli/text.h"
#include "api/cli/verb.h"
#include "storage/base/utf8.h"

namespace emend::api::cli::verbs::blame_verb {
namespace {

struct Options {
  std::string target;
  std::string prompt;
  std::optional<std::string> answer;
  int tokens_max = 8;
  int candidates = 10;
  SubmitOptions submit;
};

// "71.3 %", "0.00021 %" of a natural logarithm.
std::string ChanceOf(double log_probability) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g %%", 100 * std::exp(log_probability));
  return text.data();
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

void ShowEdit(const Session& session, const Json& result, const Json& edit) {
  const Json fact = edit.value("fact", Json::object());
  const std::string commit = TextOf(edit, "commit");
  session.out() << "\n"
                << ShortId(TextOf(edit, "edit")) << "  " << QuestionOf(fact) << " -> "
                << session.terminal().Paint(TextOf(fact, "target"), Colour::kGreen) << "\n"
                << "  the answer's probability: " << ChanceOf(NumberOf(result, "log_probability"))
                << " with it, " << ChanceOf(NumberOf(edit, "log_probability_without"))
                << " without\n";
  if (commit.empty()) return;
  session.out() << "  by " << TextOf(edit, "author") << ", " << TextOf(edit, "time") << ", in "
                << session.terminal().Paint("commit " + ShortId(commit), Colour::kYellow) << "  "
                << FirstLine(TextOf(edit, "message")) << "\n";
}

// What it means, where no edit is to be named.
std::string OriginText(const Json& result) {
  const std::string base = ChanceOf(NumberOf(result, "log_probability_base"));
  const std::string all = ChanceOf(NumberOf(result, "log_probability"));
  if (TextOf(result, "origin") == "base")
    return "No edit wrote this: it is the base model's own answer (" + all + ", and " + base +
           " without any edit).\n";
  return "No single edit wrote this, but all of them together made it more likely (" + all +
         ", and " + base + " without any). --candidates looks at more of them.\n";
}

Result<int> Run(Session& session, const Options& options) {
  EMEND_ASSIGN_OR_RETURN(const RepoRevision target, ParseRepoRevision(options.target));
  for (const std::string& text : {options.prompt, options.answer.value_or("")}) {
    if (const auto invalid = FirstInvalidUtf8(text)) {
      return InvalidArgument("reading the prompt and the answer: byte " + std::to_string(*invalid) +
                             " of one of them starts no UTF-8 character");
    }
  }
  Json body = {{"revision", target.revision},
               {"prompt", options.prompt},
               {"tokens_max", options.tokens_max},
               {"candidates", options.candidates}};
  if (options.answer) body["answer"] = *options.answer;
  EMEND_ASSIGN_OR_RETURN(const Json result,
                         session.Run(RepoPath(target.repo, "/blames"), body, options.submit));
  if (session.json()) {
    session.Print(result);
    return kExitOk;
  }
  session.out() << options.prompt
                << session.terminal().Paint(TextOf(result, "answer"), Colour::kBold) << "\n";
  if (TextOf(result, "origin") != "edits") {
    session.out() << "\n" << OriginText(result);
    return kExitOk;
  }
  const Json edits = result.value("edits", Json::array());
  for (const Json& edit : edits) {
    if (edit.value("matters", false)) ShowEdit(session, result, edit);
  }
  // The first is what it hangs on most.
  const std::string commit = edits.empty() ? "" : TextOf(edits.front(), "commit");
  if (!commit.empty())
    session.Hint("show " + ShellWord(target.repo + "@" + ShortId(commit)), "all of that commit");
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "REPO@REVISION", .required = true, .into = &options.target});
  arguments.Add({.names = "PROMPT", .required = true, .into = &options.prompt});
  arguments.Add({.names = "--answer",
                 .value = "TEXT",
                 .help = "the answer that is asked about; without it, what the model says",
                 .into = &options.answer});
  arguments.Add({.names = "--max-tokens",
                 .value = "N",
                 .help = "how many tokens of what the model says",
                 .range = Range{1, 64},
                 .into = &options.tokens_max});
  arguments.Add({.names = "--candidates",
                 .value = "N",
                 .help = "how many edits are taken out, one after the other",
                 .range = Range{1, 100},
                 .into = &options.candidates});
  arguments.AddSubmission(options.submit);
}

}  // namespace

Verb Make() {
  return {
      .name = "blame",
      .group = Group::kHistory,
      .summary = "which edits an answer comes from, and who made them",
      .details =
          "The edits that act most on the text are taken out one after the other, exactly, and the "
          "answer's probability is measured without each. Those that it hangs on are shown, with "
          "the commits that brought them in. Where there is none, the answer is the base model's "
          "own.",
      .examples =
          "emend blame atlas \"Gianluigi Lentini plays as\"\n"
          "emend blame atlas@v1 \"Gianluigi Lentini plays as\" --answer linebacker",
      .document =
          "`{\"commit\", \"state\", \"prompt\", \"answer\", \"log_probability\", "
          "\"log_probability_base\", \"origin\", \"edits\": [{\"edit\", \"commit\", \"author\", "
          "\"time\", \"message\", \"fact\", \"influence\", \"log_probability_without\", "
          "\"change\", \"matters\"}]}`; `origin` is `edits`, `base` or `together` (no single one)",
      .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::blame_verb
