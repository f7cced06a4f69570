// The verbs, by group: each adds its subcommands to the parser; a chosen one leaves its action
// behind. Inside this folder only.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "api/cli/session.h"

namespace emend::api::cli {

// of rows, lines and commits that an option may ask for
inline constexpr int kCountMax = 1'000'000'000;

inline constexpr int kTimeoutMax = 30 * 24 * 3600;  // seconds

// Runs the verb; the exit code, or the Status that decides it.
using Action = std::function<Result<int>(Session&)>;

// up down repair status operations audit version
void AddServerVerbs(CLI::App& app, Action& chosen);
void AddModelVerbs(CLI::App& app, Action& chosen);    // init stats export verify fsck
void AddDoctorVerb(CLI::App& app, Action& chosen);    // doctor
void AddInspectVerb(CLI::App& app, Action& chosen);   // model inspect
void AddEditVerbs(CLI::App& app, Action& chosen);     // commit revert ask eval
void AddHistoryVerbs(CLI::App& app, Action& chosen);  // log show diff reflog
void AddRefVerbs(CLI::App& app, Action& chosen);      // branch tag reset

// --priority and --timeout, of the verbs that submit long work.
void AddSubmitOptions(CLI::App* verb, SubmitOptions& options);

// Binds a subcommand to its options and its function: Bind<LogOptions>(app, chosen, "log", "...",
// RunLog) returns both.
template <typename Options>
struct Bound {
  CLI::App* verb;
  std::shared_ptr<Options> options;
};
template <typename Options>
Bound<Options> Bind(CLI::App& app, Action& chosen, const char* name, const char* text,
                    Result<int> (*run)(Session&, const Options&)) {
  Bound<Options> bound{app.add_subcommand(name, text), std::make_shared<Options>()};
  bound.verb->fallthrough();
  bound.verb->callback([&chosen, run, options = bound.options] {
    chosen = [run, options](Session& session) { return run(session, *options); };
  });
  return bound;
}

}  // namespace emend::api::cli
