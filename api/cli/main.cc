#include "api/cli/command_line.h"

int main(int argc, char** argv) {
  return emend::api::cli::RunCommandLine({argv + 1, argv + argc},
                                         emend::api::cli::SystemTerminal());
}
