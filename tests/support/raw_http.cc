#include "tests/support/raw_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "storage/base/check.h"

namespace emend::test {

RawHttp::RawHttp(int port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval timeout{.tv_sec = 5, .tv_usec = 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  EMEND_CHECK(connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
              "the test server does not take connections");
}

RawHttp::~RawHttp() { close(socket_); }

bool RawHttp::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void RawHttp::CloseSending() { shutdown(socket_, SHUT_WR); }

bool RawHttp::Fill() {
  char bytes[16384];
  const ssize_t got = recv(socket_, bytes, sizeof bytes, 0);
  if (got <= 0) return false;
  buffer_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::string RawHttp::Take(std::size_t count) {
  while (buffer_.size() < count && Fill()) {
  }
  std::string taken = buffer_.substr(0, count);
  buffer_.erase(0, taken.size());
  return taken;
}

std::string RawHttp::ReadUntil(std::string_view marker) {
  std::size_t at = buffer_.find(marker);
  while (at == std::string::npos && Fill()) at = buffer_.find(marker);
  return Take(at == std::string::npos ? buffer_.size() : at + marker.size());
}

std::string RawHttp::ReadAll() {
  while (Fill()) {
  }
  return std::exchange(buffer_, {});
}

bool RawHttp::IsClosed() {
  char byte = 0;
  return recv(socket_, &byte, 1, MSG_PEEK) == 0;
}

void RawHttp::ReadChunks(RawReply& reply) {
  while (true) {
    const std::size_t size = std::strtoul(ReadUntil("\r\n").c_str(), nullptr, 16);
    reply.body += Take(size);
    ReadUntil("\r\n");
    if (size == 0) return;
  }
}

RawReply RawHttp::Read(bool head) {
  RawReply reply;
  const std::string line = ReadUntil("\r\n");
  if (line.size() < 12) return reply;
  reply.status = std::atoi(line.c_str() + 9);
  for (std::string field = ReadUntil("\r\n"); field.size() > 2; field = ReadUntil("\r\n")) {
    const std::size_t colon = field.find(": ");
    std::string name = field.substr(0, colon);
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    reply.headers[name] = field.substr(colon + 2, field.size() - colon - 4);
  }
  if (head || reply.status == 204 || reply.status == 100) return reply;
  if (reply.headers.contains("content-length"))
    reply.body = Take(std::strtoul(reply.headers["content-length"].c_str(), nullptr, 10));
  if (reply.headers["transfer-encoding"] == "chunked") ReadChunks(reply);
  return reply;
}

RawReply Exchange(int port, std::string_view bytes, bool head) {
  RawHttp client(port);
  client.Send(bytes);
  return client.Read(head);
}

std::string BuildRequest(std::string_view method, std::string_view path, std::string_view body,
                         std::string_view more, std::string_view token) {
  std::string request =
      std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n";
  if (!token.empty()) request += "Authorization: Bearer " + std::string(token) + "\r\n";
  if (!body.empty())
    request +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  return request + std::string(more) + "\r\n" + std::string(body);
}

}  // namespace emend::test
