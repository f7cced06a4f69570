#include "tests/support/fake_server.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "storage/base/check.h"

extern char** environ;

namespace emend::test {

FakeServer::FakeServer() {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  EMEND_CHECK(pipe(in.data()) == 0 && pipe(out.data()) == 0, "no pipes for the fake server");
  const std::string program =
      (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "emend_fake_server")
          .string();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, in[1]);
  std::string name = program;
  std::array<char*, 2> words = {name.data(), nullptr};
  EMEND_CHECK(
      posix_spawn(&process_, program.c_str(), &actions, nullptr, words.data(), environ) == 0,
      "the fake server did not start: " + program);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  input_ = in[1];
  FILE* const reader = fdopen(out[0], "r");
  int port = 0;
  EMEND_CHECK(std::fscanf(reader, "%d", &port) == 1, "the fake server did not say its port");
  std::fclose(reader);
  url_ = "http://127.0.0.1:" + std::to_string(port);
}

FakeServer::~FakeServer() {
  close(input_);
  waitpid(process_, nullptr, 0);
}

}  // namespace emend::test
