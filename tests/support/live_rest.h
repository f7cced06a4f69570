// LiveRest: a RestServer on loopback over a FakeService, on a thread of its own, for as long as the
// object lives.
#pragma once

#include <future>
#include <string>
#include <thread>

#include "api/rest/server.h"
#include "tests/support/fake_service.h"
#include "tests/support/raw_http.h"

namespace emend::test {

class LiveRest {
 public:
  // `NewServer` is NewRestServer or NewAnswerServer.
  template <typename NewServer = decltype(&api::rest::NewRestServer)>
  explicit LiveRest(api::rest::RestOptions options = {}, bool auto_finish = false,
                    NewServer new_server = &api::rest::NewRestServer)
      : runtime_(NewSystemRuntime(2)),
        service_(*runtime_, auto_finish),
        server_(new_server(*runtime_, service_, std::move(options))) {
    Start();
  }
  ~LiveRest();

  int port() const { return port_; }
  RawReply Ask(std::string_view method, std::string_view path, std::string_view body = "",
               std::string_view more = "", std::string_view token = "admin-secret") {
    return Exchange(port_, BuildRequest(method, path, body, more, token), method == "HEAD");
  }
  // Runs `act` on the executor, where the service lives, and waits for it.
  void Do(const std::function<void(FakeService&)>& act);
  // Stops the server gracefully; returns when it has stopped.
  void Stop();

 private:
  void Start();

  std::unique_ptr<SystemRuntime> runtime_;
  FakeService service_;
  std::unique_ptr<api::rest::RestServer> server_;
  int port_ = 0;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace emend::test
