#include "api/cli/command_line.h"

#include <algorithm>

#include "api/cli/help.h"
#include "api/cli/text.h"
#include "api/cli/verbs.h"
#include "api/daemon/exit_code.h"

namespace emend::api::cli {
namespace {

using namespace daemon::exit_codes;

// The first word that is neither an option nor the value of a global one.
std::string FindVerb(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--server" || arguments[i] == "--token" || arguments[i] == "--store") {
      ++i;
    } else if (!arguments[i].starts_with('-')) {
      return arguments[i];
    }
  }
  return "";
}

void AddGlobals(CLI::App& app, GlobalOptions& globals) {
  app.add_option("--server", globals.server, "URL of emendd");
  app.add_option("--token", globals.token, "its token");
  app.add_option("--store", globals.store, "folder of the store whose emendd is meant");
  app.add_flag("--json", globals.json, "print one JSON document");
  app.add_flag("-q,--quiet", globals.quiet, "no progress, no hints");
}

bool Holds(const std::vector<std::string>& arguments,
           std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) {
    return std::ranges::find(arguments, word) != arguments.end();
  });
}

CLI::App* FindSubcommand(CLI::App& app, const std::string& name) {
  const auto found =
      app.get_subcommands([&name](const CLI::App* verb) { return verb->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

Status UnknownVerb(const std::string& verb) {
  const bool means_init = verb == "import" || verb == "clone" || verb == "add";
  const std::string nearest = means_init ? "init" : NearestWord(verb, VerbNames());
  return InvalidArgument("\"" + verb + "\" is no verb of emend." +
                         (nearest.empty() ? "" : " Did you mean \"" + nearest + "\"?") +
                         " `emend help` lists them");
}

// kInvalidArgument for a topic that is none.
Status PrintHelp(CLI::App& app, const std::vector<std::string>& arguments,
                 const Terminal& terminal) {
  const auto place = std::ranges::find(arguments, "help");
  const std::string topic =
      place == arguments.end() || place + 1 == arguments.end() ? "" : *(place + 1);
  if (topic == "exit-codes") {
    *terminal.out << ExitCodesText();
  } else if (topic == "environment") {
    *terminal.out << EnvironmentText();
  } else if (const CLI::App* const verb = FindSubcommand(app, topic)) {
    *terminal.out << verb->help();
  } else if (topic.empty() || topic.starts_with('-')) {
    *terminal.out << OverviewText();
  } else {
    return UnknownVerb(topic);
  }
  return OkStatus();
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
  return daemon::ExitCodeOf(status);
}

int RunChosen(const Action& chosen, const GlobalOptions& globals, const Terminal& terminal) {
  Session session(terminal, globals);
  const Result<int> code = chosen(session);
  terminal.out->flush();
  return code.ok() ? *code : Fail(code.status(), globals, terminal);
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& arguments, const Terminal& terminal) {
  CLI::App app("emend: git for what a language model knows", "emend");
  GlobalOptions globals;
  Action chosen;
  AddGlobals(app, globals);
  AddServerVerbs(app, chosen);
  AddModelVerbs(app, chosen);
  AddDoctorVerb(app, chosen);
  AddInspectVerb(app, chosen);
  AddEditVerbs(app, chosen);
  AddHistoryVerbs(app, chosen);
  AddRefVerbs(app, chosen);
  const std::string verb = FindVerb(arguments);
  // Read before anything can go wrong: a failure is one document, too.
  globals.json = std::ranges::find(arguments, "--json") != arguments.end();
  const bool wants_help = verb == "help" || Holds(arguments, {"--help", "-h"});
  if (verb.empty() && Holds(arguments, {"--version"})) {
    *terminal.out << "emend " << EMEND_VERSION << "\n";
    return kExitOk;
  }
  if (verb.empty() && !wants_help) {
    if (!globals.json) *terminal.out << OverviewText();
    return globals.json ? Fail(InvalidArgument("no verb was given: `emend help` lists them"),
                               globals, terminal)
                        : kExitUsage;
  }
  if (verb.empty() || verb == "help") {
    const Status printed = PrintHelp(app, arguments, terminal);
    return printed.ok() ? kExitOk : Fail(printed, globals, terminal);
  }
  if (FindSubcommand(app, verb) == nullptr) return Fail(UnknownVerb(verb), globals, terminal);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    *terminal.out << app.get_subcommand(verb)->help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return Fail(InvalidArgument(verb + ": " + error.what() + "; `emend help " + verb +
                                "` shows how it is used"),
                globals, terminal);
  }
  return RunChosen(chosen, globals, terminal);
}

}  // namespace emend::api::cli
