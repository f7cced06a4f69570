#include "api/program/listen_address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstdint>

namespace emend::api::program {

Status CheckListenAddress(const ListenOption& option, const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  std::string host = listen.substr(0, colon == std::string::npos ? 0 : colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const std::string digits = colon == std::string::npos ? std::string() : listen.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  in_addr v4{};
  in6_addr v6{};
  const bool is_v4 = inet_pton(AF_INET, host.c_str(), &v4) == 1;
  const bool is_v6 = !is_v4 && inet_pton(AF_INET6, host.c_str(), &v6) == 1;
  if ((!is_v4 && !is_v6) || digits.empty() || error != std::errc() ||
      end != digits.data() + digits.size()) {
    return InvalidArgument("reading " + option.name + " " + listen +
                           ": expected an address (names are not looked up) and a port, such as "
                           "127.0.0.1:8321 or [::1]:0");
  }
  const bool is_loopback = is_v4 ? (ntohl(v4.s_addr) >> 24) == 127 : IN6_IS_ADDR_LOOPBACK(&v6) != 0;
  if (is_loopback || option.transit == Transit::kTls) return OkStatus();
  return {StatusCode::kUnsupported, "needs_tls",
          "listening on " + listen + " (" + option.name +
              ") is refused: only loopback addresses are allowed without TLS, because tokens and "
              "facts would be readable on the way; " +
              option.advice};
}

}  // namespace emend::api::program
