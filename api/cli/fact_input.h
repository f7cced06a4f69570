// Facts of a file, on their way into a request: what was taken, what was not, and the file's own
// rows in whatever is said of them later. Inside this folder only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/cli/verb.h"
#include "api/facts/fact_file.h"

namespace emend::api::cli {

struct FactSelection {
  std::string file;
  std::optional<std::uint64_t> limit = std::nullopt;
  std::uint64_t offset = 0;
  bool skip_bad_rows = false;
};

// -F, --limit, --offset and --skip-bad-rows.
enum class Presence { kRequired, kOptional };
void AddFactArguments(Arguments& arguments, FactSelection& facts,
                      Presence file = Presence::kRequired);

class FactInput {
 public:
  static Result<FactInput> Load(const FactSelection& selection);

  // As requests take them.
  const Json& facts() const { return facts_; }
  // "/facts/3/prompt", as the server and its workers name a fact, becomes "row 12, prompt".
  Status InRows(const Status& status) const;
  // A verb's result with the file's rows in its "facts" and "neighbour_targets", and with what of
  // the file is not in the request: "rows_skipped" with the problems of each, "left_out" by reason,
  // "neighbours_without_old_target"; nothing where there is nothing to say.
  Json WithRows(Json result) const;
  // The same as lines for a person.
  std::string Text() const;

 private:
  FactInput(facts::FactFile file, Json facts) : file_(std::move(file)), facts_(std::move(facts)) {}

  facts::FactFile file_;
  Json facts_;
};

}  // namespace emend::api::cli
