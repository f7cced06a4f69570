#include "api/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "api/program/output.h"

namespace emend::api::cli {
namespace {

const char* Code(Colour colour) {
  switch (colour) {
    case Colour::kNone: return "";
    case Colour::kRed: return "\033[31m";
    case Colour::kGreen: return "\033[32m";
    case Colour::kYellow: return "\033[33m";
    case Colour::kBlue: return "\033[36m";
    case Colour::kBold: return "\033[1m";
    case Colour::kDim: return "\033[2m";
  }
  return "";
}

std::string AskPerson(const std::string& question) {
  std::cerr << question;
  std::string line;
  std::getline(std::cin, line);
  return line;
}

int TerminalWidth() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 80;
}

}  // namespace

bool Terminal::Coloured() const {
  return out_is_terminal && environment("NO_COLOR").empty() && environment("TERM") != "dumb";
}

std::string Terminal::Paint(std::string_view text, Colour colour) const {
  if (colour == Colour::kNone || !Coloured()) return std::string(text);
  return Code(colour) + std::string(text) + "\033[0m";
}

Terminal SystemTerminal() {
  static program::OutputStream out(STDOUT_FILENO);
  std::error_code error;
  return {.out = &out,
          .err = &std::cerr,
          .out_is_terminal = isatty(STDOUT_FILENO) != 0,
          .err_is_terminal = isatty(STDERR_FILENO) != 0,
          .width = TerminalWidth(),
          .environment =
              [](const std::string& name) {
                const char* const value = std::getenv(name.c_str());
                return std::string(value == nullptr ? "" : value);
              },
          .finish = [] { return out.Finish("standard output"); },
          .ask = isatty(STDIN_FILENO) != 0 ? AskPerson : nullptr,
          .program_folder =
              std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string()};
}

}  // namespace emend::api::cli
