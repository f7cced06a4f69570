#include "api/cli/help.h"

#include <algorithm>

#include "api/cli/parse.h"
#include "api/cli/text.h"
#include "api/cli/verbs/table.h"
#include "worker/protocol/solve_settings.h"

namespace emend::api::cli {
namespace {

constexpr std::int64_t kDeepModel = 32;  // layers, of the defaults that help shows

constexpr std::size_t kColumns = 90;

std::string Plain(std::string_view markdown) {
  std::string text(markdown);
  std::erase(text, '`');
  return text;
}

// "-F, --file FILE"
std::string Heading(const Argument& argument) {
  std::string heading;
  for (const std::string& name : argument.each_name())
    heading += (heading.empty() ? "" : ", ") + name;
  return heading + (argument.value.empty() ? "" : " " + argument.value);
}

// What it is, what it may be and what it is unless given.
std::string Meaning(const Argument& argument) {
  std::string text = argument.help;
  std::string choices;
  for (const std::string& choice : argument.choices)
    choices += (choices.empty() ? "" : ", ") + choice;
  if (!choices.empty()) text += (text.empty() ? "one of " : ": ") + choices;
  if (const std::string initial = argument.initial(); !initial.empty())
    text += (text.empty() ? "" : "; ") + initial + " if not given";
  return text;
}

std::string RenderArguments(const std::vector<Argument>& arguments, bool places) {
  std::size_t indent = 0;
  for (const Argument& argument : arguments)
    indent = std::max(indent, Heading(argument).size() + 4);
  std::string text;
  for (const Argument& argument : arguments) {
    if (argument.is_place() != places) continue;
    std::string line = "  " + Heading(argument);
    const std::string meaning = Meaning(argument);
    if (!meaning.empty())
      line += std::string(indent - line.size(), ' ') + Wrap(meaning, indent, kColumns);
    text += line + "\n";
  }
  return text;
}

std::string Section(std::string_view title, const std::string& text) {
  return text.empty() ? "" : "\n" + std::string(title) + "\n" + text;
}

std::vector<Argument> GlobalArguments() {
  static GlobalOptions initial;
  Arguments arguments;
  AddGlobals(arguments, initial);
  return arguments.list();
}

// What man takes for a command, escaped.
std::string Roff(std::string_view text) {
  std::string escaped;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) escaped += "\\&";
    begins = c == '\n';
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string ManualOf(const std::vector<Argument>& arguments) {
  std::string text;
  for (const Argument& argument : arguments) {
    if (!argument.is_place() || !Meaning(argument).empty())
      text += ".TP\n.B " + Roff(Heading(argument)) + "\n" + Roff(Meaning(argument)) + "\n";
  }
  return text.empty() ? "" : ".RS\n" + text + ".RE\n";
}

std::string ManualOf(const Verb& verb) {
  Arguments arguments;
  const Action bound = verb.bind(arguments);
  std::string text = ".TP\n.B emend " + Roff(RenderUsage(verb)) + "\n" + Roff(verb.summary) + "\n";
  if (!verb.details.empty()) text += ".IP\n" + Roff(Plain(verb.details)) + "\n";
  return text + ManualOf(arguments.list());
}

std::string Verbatim(std::string_view text) { return ".nf\n" + Roff(text) + ".fi\n"; }

}  // namespace

std::string RenderOverview() {
  std::string text =
      "emend: git for what a language model knows\n\n"
      "usage: emend VERB [ARGUMENTS] [--json] [--store DIR | --server URL --token TOKEN]\n";
  std::size_t width = 0;
  for (const Verb& verb : AllVerbs()) width = std::max(width, verb.name.size() + 2);
  const Verb* before = nullptr;
  for (const Verb& verb : AllVerbs()) {
    if (before == nullptr || before->group != verb.group)
      text += "\n" + std::string(TitleOf(verb.group)) + "\n";
    before = &verb;
    text += "  " + std::string(verb.name) + std::string(width - verb.name.size(), ' ') +
            std::string(verb.summary) + "\n";
  }
  return text +
         "\n`emend help VERB` says more about one; `emend help exit-codes` and `emend help "
         "environment`\nabout all. `emend completion bash` completes them in a shell.\n";
}

std::string RenderHelp(const Verb& verb) {
  Arguments arguments;
  const Action bound = verb.bind(arguments);
  std::string text = "emend " + std::string(verb.name) + ": " + std::string(verb.summary) +
                     "\n\nusage: emend " + Wrap(RenderUsage(verb), 11, kColumns) + "\n";
  if (!verb.details.empty()) text += "\n" + Plain(verb.details) + "\n";
  text += Section("arguments", RenderArguments(arguments.list(), /*places=*/true));
  text += Section("options", RenderArguments(arguments.list(), /*places=*/false));
  text += Section("options of every verb", RenderArguments(GlobalArguments(), /*places=*/false));
  if (!verb.document.empty())
    text += Section("with --json", "  " + Wrap(Plain(verb.document), 2, kColumns) + "\n");
  if (!verb.examples.empty()) text += Section("examples", Indent(verb.examples));
  return text;
}

std::string RenderManual() {
  std::string text =
      ".TH EMEND 1 \"\" \"emend " EMEND_VERSION
      "\"\n.SH NAME\nemend \\- git for what a language model knows\n.SH SYNOPSIS\n.B emend\n"
      "VERB [ARGUMENTS] [\\-\\-json] [\\-\\-store DIR | \\-\\-server URL \\-\\-token TOKEN]\n"
      ".SH VERBS\n";
  const Verb* before = nullptr;
  for (const Verb& verb : AllVerbs()) {
    if (before == nullptr || before->group != verb.group)
      text += ".SS " + std::string(TitleOf(verb.group)) + "\n";
    before = &verb;
    text += ManualOf(verb);
  }
  return text + ".SH OPTIONS OF EVERY VERB\n" + ManualOf(GlobalArguments()) + ".SH EXIT STATUS\n" +
         Verbatim(ExitCodesText()) + ".SH ENVIRONMENT\n" + Verbatim(EnvironmentText());
}

std::string_view ExitCodesText() {
  return R"(exit codes
  0  done
  1  done, and the answer is no: verify, fsck or doctor found problems
  2  usage: the command, a file or a value is wrong
  3  not found: repo, revision, file of a model, operation
  4  conflict: the ref has moved, or the thing exists
  5  refused: no token, no permission, a rule, a bound, not supported
  6  unreachable: no server, no worker, no answer in time
  7  internal: a bug, stored bytes that are not what was written, or output that could not be
     written
)";
}

std::string_view EnvironmentText() {
  return R"(where the server is found, the first that is there
  --server URL           with --token TOKEN or EMEND_TOKEN
  --store DIR            the emendd that runs on this store, with the store's own token
  EMEND_SERVER           with --token or EMEND_TOKEN
  EMEND_STORE            as --store
  the store last brought up by `emend up`, kept in $XDG_STATE_HOME/emend/last-store
                         (else in ~/.local/state)

  NO_COLOR               no colours
  TERM=dumb              no colours
)";
}

std::string SettingsText() {
  using namespace worker::protocol;
  std::vector<std::vector<std::string>> rows;
  for (const SolveMethod& method : SolveMethods())
    rows.push_back({"  --method " + std::string(method.name),
                    std::string(method.meaning) + " (" + std::string(method.source) + ")"});
  const SolveSettings defaults = DefaultSettings(SolveMethods().front().name, kDeepModel).value();
  for (const Setting& setting : Settings())
    rows.push_back({"  --set " + std::string(setting.name) + "=" + TextOf(defaults, setting),
                    std::string(setting.meaning)});
  rows.push_back({"  --set context_templates=FILE",
                  "JSON: groups of templates such as [[\"{}\"], [\"So it was. {}\"]]"});
  return "what a commit solves by; values are those of a model of " + std::to_string(kDeepModel) +
         " layers where nothing is set\n" + RenderTable(rows);
}

}  // namespace emend::api::cli
