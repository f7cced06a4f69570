#include "api/cli/parse.h"

#include <CLI/CLI.hpp>

namespace emend::api::cli {
namespace {

CLI::Option* AddTo(CLI::App& app, const Argument& argument) {
  if (argument.is_flag()) return app.add_flag(argument.names, *std::get<bool*>(argument.into));
  CLI::Option* const option =
      std::visit([&](auto* into) { return app.add_option(argument.names, *into); }, argument.into);
  if (argument.is_repeated() && !argument.is_place())
    option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  if (std::holds_alternative<std::vector<std::int32_t>*>(argument.into)) option->delimiter(',');
  if (!argument.choices.empty()) option->check(CLI::IsMember(argument.choices));
  if (argument.range) option->check(CLI::Range(argument.range->min, argument.range->max));
  return option;
}

Status Missing(const std::string& verb, const Argument& argument) {
  return InvalidArgument(verb + ": " + argument.each_name().front() +
                         (argument.value.empty() ? "" : " " + argument.value) + " is required" +
                         (argument.help.empty() ? "" : ": " + argument.help) + "; `emend help " +
                         verb + "` shows how it is used");
}

}  // namespace

void AddGlobals(Arguments& arguments, GlobalOptions& globals) {
  arguments.Add({.names = "--json", .help = "print one JSON document", .into = &globals.json});
  arguments.Add({.names = "-q,--quiet", .help = "no progress, no hints", .into = &globals.quiet});
  arguments.Add({.names = "--store",
                 .value = "DIR",
                 .help = "folder of the store whose emendd is meant",
                 .kind = ValueKind::kFolder,
                 .into = &globals.store});
  arguments.Add(
      {.names = "--server", .value = "URL", .help = "URL of emendd", .into = &globals.server});
  arguments.Add(
      {.names = "--token", .value = "TOKEN", .help = "its token", .into = &globals.token});
}

Status ParseWords(const std::string& verb, const std::vector<Argument>& arguments,
                  const std::vector<std::string>& words) {
  CLI::App app("", "emend");
  app.set_help_flag();
  std::vector<CLI::Option*> options;
  for (const Argument& argument : arguments) options.push_back(AddTo(app, argument));
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].excludes.empty()) options[i]->excludes(app.get_option(arguments[i].excludes));
  }
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return InvalidArgument(verb + ": " + error.what() + "; `emend help " + verb +
                           "` shows how it is used");
  }
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (arguments[i].required && options[i]->count() == 0) return Missing(verb, arguments[i]);
  }
  return OkStatus();
}

}  // namespace emend::api::cli
