// A client that sends the bytes it is told to and reads what comes back: for tests of the edge,
// which no real client could provoke. Blocks, at most a few seconds in each call.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace emend::test {

struct RawReply {
  int status = 0;                              // 0: the connection ended before a status line
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

class RawHttp {
 public:
  explicit RawHttp(int port);
  ~RawHttp();
  RawHttp(const RawHttp&) = delete;
  RawHttp& operator=(const RawHttp&) = delete;

  // False: the peer has closed.
  bool Send(std::string_view bytes);
  // One response; `head` for the answer to a HEAD request. A chunked body is read until its end.
  RawReply Read(bool head = false);
  // What comes within the timeout, up to `marker`.
  std::string ReadUntil(std::string_view marker);
  // Until the peer closes, or the timeout.
  std::string ReadAll();
  // True if the peer closes within the timeout.
  bool IsClosed();
  void CloseSending();

 private:
  bool Fill();  // reads some more into buffer_
  std::string Take(std::size_t count);
  void ReadChunks(RawReply& reply);
  int socket_ = -1;
  std::string buffer_;
};

// One request on a connection of its own.
RawReply Exchange(int port, std::string_view bytes, bool head = false);
// "METHOD path HTTP/1.1" with Host, token, JSON body where there is one, and more header lines
// ("Name: value\r\n" each).
std::string BuildRequest(std::string_view method, std::string_view path, std::string_view body = "",
                         std::string_view more = "", std::string_view token = "admin-secret");

}  // namespace emend::test
