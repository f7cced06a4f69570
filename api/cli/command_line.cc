#include "api/cli/command_line.h"

#include <algorithm>

#include "api/cli/help.h"
#include "api/cli/lookup.h"
#include "api/cli/parse.h"

namespace emend::api::cli {
namespace {

bool Holds(const std::vector<std::string>& words, std::string_view word) {
  const auto end = std::ranges::find(words, "--");
  return std::find(words.begin(), end, word) != end;
}

int Fail(const Status& status, const GlobalOptions& globals, const Terminal& terminal) {
  if (globals.json) {
    const Json document = {{"error",
                            {{"code", status.slug()},
                             {"category", CodeName(status.code())},
                             {"detail", status.message()}}}};
    *terminal.out << document.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
  *terminal.err << "emend: " << status.message() << " (" << status.slug() << ")\n";
  return program::ExitCodeOf(status);
}

// Without a verb: the version, the overview, or a mistake.
int RunWithoutVerb(const Command& command, const GlobalOptions& globals, const Terminal& terminal) {
  if (Holds(command.words, "--version")) {
    *terminal.out << "emend " << EMEND_VERSION << "\n";
    return kExitOk;
  }
  const bool wants_help = Holds(command.words, "--help") || Holds(command.words, "-h");
  if (globals.json && !wants_help)
    return Fail(InvalidArgument("no verb was given: `emend help` lists them"), globals, terminal);
  *terminal.out << RenderOverview();
  return wants_help ? kExitOk : kExitUsage;
}

int RunVerb(const Command& command, GlobalOptions& globals, const Terminal& terminal) {
  Arguments arguments;
  AddGlobals(arguments, globals);
  const Action run = command.verb->bind(arguments);
  const Status parsed =
      ParseWords(std::string(command.verb->name), arguments.list(), command.words);
  if (!parsed.ok()) return Fail(parsed, globals, terminal);
  Session session(terminal, globals, command.verb->effect);
  const Result<int> code = run(session);
  terminal.out->flush();
  const int exit_code = code.ok() ? *code : Fail(code.status(), globals, terminal);
  session.PrintHints();
  return exit_code;
}

int RunWords(const std::vector<std::string>& arguments, GlobalOptions& globals,
             const Terminal& terminal) {
  // Read before anything can go wrong: a failure is one document, too.
  globals.json = Holds(arguments, "--json");
  const Result<Command> command = LookUp(arguments);
  if (!command.ok()) return Fail(command.status(), globals, terminal);
  if (command->verb == nullptr) return RunWithoutVerb(*command, globals, terminal);
  if (Holds(command->words, "--help") || Holds(command->words, "-h")) {
    *terminal.out << RenderHelp(*command->verb);
    return kExitOk;
  }
  return RunVerb(*command, globals, terminal);
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& arguments, const Terminal& terminal) {
  GlobalOptions globals;
  const int code = RunWords(arguments, globals, terminal);
  terminal.out->flush();
  const Status written = terminal.finish();
  if (written.ok()) return code;
  globals.json = false;  // there is nowhere to print it
  const int failed = Fail(written, globals, terminal);
  return code == kExitOk || code == kExitNo ? failed : code;
}

}  // namespace emend::api::cli
