// What neighbours on a line say to each other: a greeting when they connect, a header at each call.
// Fixed sizes, little-endian. Internal to this folder.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>

#include "storage/base/status.h"

namespace emend::worker::collective {

struct LineGreeting {
  int from = 0;
  int to = 0;
  int size = 0;
  std::uint64_t generation = 0;
  std::string secret;
};
// Magic "EMLG", version, from, to, size, generation, and the SHA-256 of secret and all of these:
// only a member of this very group can make it.
using GreetingBytes = std::array<std::uint8_t, 60>;
GreetingBytes EncodeGreeting(const LineGreeting& greeting);

struct LineHeader {
  std::uint16_t operation = 0;
  std::uint16_t type = 0;
  std::int32_t root = -1;
  std::uint64_t generation = 0;
  std::uint64_t sequence = 0;
  std::uint64_t elements = 0;
  std::uint64_t element_bytes = 0;
};
using HeaderBytes = std::array<std::uint8_t, 44>;  // magic "EMLC" and the fields in their order
HeaderBytes EncodeHeader(const LineHeader& header);
// "operation 1 on 4096 elements of type 2, sequence 17, generation 7"
std::string DescribeHeader(const HeaderBytes& bytes);

// "127.0.0.1:43211" or "[::1]:43211". kInvalidArgument.
Result<boost::asio::ip::tcp::endpoint> ParseEndpoint(const std::string& address);

}  // namespace emend::worker::collective
