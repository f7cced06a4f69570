// A progress bar on a terminal's standard error, redrawn in place; one line every ten seconds where
// there is no terminal. Not thread-safe.
#pragma once

#include <chrono>
#include <string>

#include "api/cli/terminal.h"
#include "api/client/client.h"

namespace emend::api::cli {

class ProgressBar {
 public:
  // Silent when `quiet`.
  ProgressBar(const Terminal& terminal, bool quiet) : terminal_(terminal), quiet_(quiet) {}
  ~ProgressBar() { Clear(); }

  void Show(const client::OperationUpdate& update);
  void ShowText(const std::string& text);
  // Takes the bar off the screen.
  void Clear();

 private:
  void Draw(const std::string& line);

  const Terminal& terminal_;
  const bool quiet_;
  bool drawn_ = false;
  std::string last_line_;
  std::chrono::steady_clock::time_point last_time_ = std::chrono::steady_clock::now();
};

// "targets [#####.....] 42/100  eta 12 s", at most `width` columns.
std::string RenderProgress(const client::OperationUpdate& update, int width);

}  // namespace emend::api::cli
