// FakeServer: the fake server program as a child process, for as long as the object lives. Clients
// are tested against it from outside, because cpprestsdk brings its own build of Asio and must not
// share a process with ours. The program lies beside the test program.
#pragma once

#include <cstdio>
#include <string>

namespace emend::test {

class FakeServer {
 public:
  FakeServer();
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  const std::string& url() const { return url_; }

 private:
  int input_ = -1;
  int process_ = 0;
  std::string url_;
};

}  // namespace emend::test
