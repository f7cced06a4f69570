// Runs command lines and keeps what they write: `shell.Run({"log", "atlas", "--json"})`.
#pragma once

#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "api/cli/command_line.h"

namespace emend::api::cli {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

class Shell {
 public:
  explicit Shell(std::map<std::string, std::string> environment = {})
      : environment_(std::move(environment)) {}
  void Set(const std::string& name, const std::string& value) { environment_[name] = value; }
  void BeTerminal() { is_terminal_ = true; }
  // What the person at the terminal answers whatever is asked.
  void Answer(const std::string& line) { answer_ = line; }

  Outcome Run(const std::vector<std::string>& words) const {
    std::ostringstream out;
    std::ostringstream err;
    Terminal terminal{.out = &out,
                      .err = &err,
                      .out_is_terminal = is_terminal_,
                      .err_is_terminal = is_terminal_,
                      .width = 80,
                      .environment =
                          [this](const std::string& name) {
                            const auto found = environment_.find(name);
                            return found == environment_.end() ? std::string() : found->second;
                          },
                      .program_folder = "/nonexistent"};
    if (answer_) terminal.ask = [this](const std::string&) { return *answer_; };
    const int code = RunCommandLine(words, terminal);
    return {code, out.str(), err.str()};
  }

 private:
  std::map<std::string, std::string> environment_;
  bool is_terminal_ = false;
  std::optional<std::string> answer_;
};

}  // namespace emend::api::cli
