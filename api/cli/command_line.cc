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

CLI::App* FindSubcommand(CLI::App& app, const std::string& name) {
  const auto found = app.get_subcommands([&name](const CLI::App* verb) { return verb->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

int PrintHelp(CLI::App& app, const std::vector<std::string>& arguments, const Terminal& terminal) {
  const auto place = std::ranges::find(arguments, "help");
  const std::string topic = place == arguments.end() || place + 1 == arguments.end() ? "" : *(place + 1);
  if (topic == "exit-codes") {
    *terminal.out << ExitCodesText();
  } else if (topic == "environment") {
    *terminal.out << EnvironmentText();
  } else if (const CLI::App* const verb = FindSubcommand(app, topic)) {
    *terminal.out << verb->help();
  } else {
    *terminal.out << OverviewText();
  }
  return kExitOk;
}

int UnknownVerb(const std::string& verb, const Terminal& terminal) {
  *terminal.err << "emend: \"" << verb << "\" is no verb of emend.";
  const std::string nearest = NearestWord(verb, VerbNames());
  if (!nearest.empty()) *terminal.err << " Did you mean \"" << nearest << "\"?";
  *terminal.err << " `emend help` lists them.\n";
  return kExitUsage;
}

int Fail(const Status& status, const GlobalOptions& globals, const Terminal& terminal) {
  if (globals.json) {
    const Json document = {{"error", {{"code", status.slug()}, {"category", CodeName(status.code())}, {"detail", status.message()}}}};
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
  AddEditVerbs(app, chosen);
  AddHistoryVerbs(app, chosen);
  AddRefVerbs(app, chosen);
  const std::string verb = FindVerb(arguments);
  if (verb.empty() || verb == "help") {
    PrintHelp(app, arguments, terminal);
    return arguments.empty() ? kExitUsage : kExitOk;
  }
  if (FindSubcommand(app, verb) == nullptr) return UnknownVerb(verb, terminal);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::CallForHelp&) {
    *terminal.out << app.get_subcommand(verb)->help();
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    *terminal.err << "emend " << verb << ": " << error.what() << "; `emend help " << verb << "` shows how it is used\n";
    return kExitUsage;
  }
  return RunChosen(chosen, globals, terminal);
}

}  // namespace emend::api::cli
