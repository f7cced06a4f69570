// A verb of the command line, whole: what help, completion, the manual page and the docs say of it,
// what it takes, what it does and what it prints. One file below api/cli/verbs each, and one row in
// api/cli/verbs/table.cc, from which all of those are made.
//
//   namespace emend::api::cli::verbs::log_verb {
//   struct Options {
//     std::string target;
//     bool oneline = false;
//   };
//   void Describe(Arguments& arguments, Options& options) {
//     arguments.Add({.names = "REPO@REVISION", .required = true, .into = &options.target});
//     arguments.Add({.names = "--oneline", .help = "a line each", .into = &options.oneline});
//   }
//   Result<int> Run(Session& session, const Options& options);
//   ...
//   Verb Make() {
//     return {.name = "log", .group = Group::kHistory, ..., .bind = Bind<Options, Describe, Run>};
//   }
//
// Inside this folder only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "api/cli/session.h"
#include "api/program/exit_code.h"

namespace emend::api::cli {

using namespace program::exit_codes;

// of rows, lines and commits that an option may ask for
inline constexpr std::int64_t kCountMax = 1'000'000'000;

// The groups of `emend help`, in its order; a folder of api/cli/verbs each.
enum class Group : std::uint8_t { kServe, kModel, kEdit, kReview, kAsk, kHistory, kProof, kHouse };

// What a shell completes a value with, where there are no choices.
enum class ValueKind : std::uint8_t { kText, kFile, kFolder };

// Where a value goes; a flag goes into a bool.
using Destination = std::variant<bool*, std::string*, std::optional<std::string>*, int*,
                                 std::optional<int>*, std::uint64_t*, std::optional<std::uint64_t>*,
                                 std::vector<std::string>*, std::vector<std::int32_t>*>;

struct Range {
  std::int64_t min = 0;
  std::int64_t max = 0;
};

struct Argument {
  std::string names;  // "-F,--file", the one to show first; of what has its place: "REPO[@BRANCH]"
  std::string value = {};  // what its value is called, "FILE"; nothing for flags and places
  std::string help = {};
  bool required = false;
  bool shared = false;  // of many verbs alike: not in the line that shows how one is used
  ValueKind kind = ValueKind::kText;
  std::vector<std::string> choices = {};
  std::optional<Range> range = {};
  std::string excludes = {};  // the name of another
  Destination into = {};

  bool is_place() const { return !names.starts_with('-'); }
  bool is_flag() const { return std::holds_alternative<bool*>(into); }
  bool is_repeated() const { return std::holds_alternative<std::vector<std::string>*>(into); }
  // "-F,--file" as {"-F", "--file"}.
  std::vector<std::string> each_name() const;
  // The value that it has unless it is given, as text; "" where that says nothing.
  std::string initial() const;
};

class Arguments {
 public:
  void Add(Argument argument) { list_.push_back(std::move(argument)); }
  // --priority and --timeout, of the verbs that submit long work.
  void AddSubmission(SubmitOptions& options);

  const std::vector<Argument>& list() const { return list_; }

 private:
  std::vector<Argument> list_;
};

// Runs the verb with what was parsed; the exit code, or the Status that decides it.
using Action = std::function<Result<int>(Session&)>;

struct Verb {
  std::string_view name;  // "commit"; "model inspect": a verb of a noun
  Group group = Group::kHouse;
  Effect effect = Effect::kReads;
  std::string_view summary;        // one line: "Show one commit with its edits"
  std::string_view details = "";   // paragraphs
  std::string_view examples = "";  // command lines, one each line
  std::string_view document = "";  // what --json prints; markdown, for the page of the docs too
  // Says what it takes; the action reads what was parsed into that.
  Action (*bind)(Arguments& arguments) = nullptr;
};

template <typename Options, void (*describe)(Arguments&, Options&),
          Result<int> (*run)(Session&, const Options&)>
Action Bind(Arguments& arguments) {
  const auto options = std::make_shared<Options>();
  describe(arguments, *options);
  return [options](Session& session) { return run(session, *options); };
}
template <Result<int> (*run)(Session&)>
Action Bind(Arguments&) {
  return run;
}

// "commit REPO[@BRANCH] -F FILE [--limit N]".
std::string RenderUsage(const Verb& verb);

}  // namespace emend::api::cli
