#include "api/cli/help.h"
#include "api/cli/lookup.h"
#include "api/cli/verb.h"
#include "api/cli/verbs/table.h"

namespace emend::api::cli::verbs::help_verb {
namespace {

struct Options {
  std::vector<std::string> topic;
  bool manual = false;
};

Result<int> Run(Session& session, const Options& options) {
  std::string topic;
  for (const std::string& word : options.topic) topic += (topic.empty() ? "" : " ") + word;
  if (options.manual) {
    session.out() << RenderManual();
  } else if (topic.empty()) {
    session.out() << RenderOverview();
  } else if (topic == "exit-codes") {
    session.out() << ExitCodesText();
  } else if (topic == "environment") {
    session.out() << EnvironmentText();
  } else if (topic == "settings") {
    session.out() << SettingsText();
  } else if (const Verb* const verb = FindVerb(topic)) {
    session.out() << RenderHelp(*verb);
  } else {
    return UnknownVerb(topic);
  }
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add(
      {.names = "TOPIC",
       .help = "a verb, settings, exit-codes or environment; the overview if none is named",
       .into = &options.topic});
  arguments.Add({.names = "--man",
                 .help = "print the whole as a manual page, for man(1)",
                 .into = &options.manual});
}

}  // namespace

Verb Make() {
  return {.name = "help",
          .group = Group::kHouse,
          .summary = "the verbs, one verb, settings, exit codes, where the server is found",
          .examples = "emend help commit\nemend help --man | man -l -",
          .document = "none: text",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::help_verb
