// The terminal that a command talks to: where results, messages and the environment come from,
// injected so that tests read what was written.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <string_view>

#include "storage/base/status.h"

namespace emend::api::cli {

enum class Colour { kNone, kRed, kGreen, kYellow, kBlue, kBold, kDim };

struct Terminal {
  std::ostream* out = nullptr;  // results, nothing else
  std::ostream* err = nullptr;  // messages, progress, hints
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  int width = 80;                                                   // columns
  std::function<std::string(const std::string& name)> environment;  // "" if the variable is not set
  // Whether all that went to `out` was written; kInternal says why not.
  std::function<Status()> finish = [] { return OkStatus(); };
  // Shows a question and reads a line for it; empty where nobody is there to answer.
  std::function<std::string(const std::string& question)> ask = {};
  // where emendd lies beside this program
  std::string program_folder;

  // Colours only on a terminal, and never with NO_COLOR or TERM=dumb.
  bool Coloured() const;
  std::string Paint(std::string_view text, Colour colour) const;
};

// The process's own.
Terminal SystemTerminal();

}  // namespace emend::api::cli
