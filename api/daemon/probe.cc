#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "api/daemon/launch.h"

namespace emend::api::daemon {
namespace {

constexpr timeval kPatience{.tv_sec = 2, .tv_usec = 0};

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

// "http://127.0.0.1:41234" or "http://[::1]:41234"; nothing is looked up.
Addresses ParseUrl(const std::string& url) {
  Addresses none(nullptr, freeaddrinfo);
  const std::size_t slashes = url.find("//");
  const std::size_t colon = url.rfind(':');
  if (slashes == std::string::npos || colon == std::string::npos || colon < slashes + 2)
    return none;
  std::string host = url.substr(slashes + 2, colon - slashes - 2);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), url.substr(colon + 1).c_str(), &hints, &found) != 0) return none;
  return {found, freeaddrinfo};
}

bool AnswersOn(int descriptor, const addrinfo& address) {
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  if (connect(descriptor, address.ai_addr, address.ai_addrlen) != 0) return false;
  constexpr std::string_view kRequest = "GET /livez HTTP/1.0\r\n\r\n";
  if (send(descriptor, kRequest.data(), kRequest.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(kRequest.size()))
    return false;
  std::array<char, 64> answer{};
  const ssize_t got = recv(descriptor, answer.data(), answer.size(), 0);
  return got > 0 && std::string_view(answer.data(), static_cast<std::size_t>(got)).find(" 200 ") !=
                        std::string_view::npos;
}

}  // namespace

bool Answers(const DaemonRecord& record) {
  const Addresses address = ParseUrl(record.url);
  if (!address) return false;
  const int descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return false;
  const bool answers = AnswersOn(descriptor, *address);
  close(descriptor);
  return answers;
}

}  // namespace emend::api::daemon
