#include "worker/collective/line_wire.h"

#include <algorithm>
#include <charconv>

#include "storage/base/check.h"
#include "storage/base/digest.h"
#include "storage/base/encoding.h"

namespace emend::worker::collective {
namespace {

constexpr std::uint32_t kGreetingMagic = 0x474c4d45;  // "EMLG"
constexpr std::uint32_t kHeaderMagic = 0x434c4d45;    // "EMLC"
constexpr std::uint32_t kVersion = 1;

template <std::size_t kSize>
std::array<std::uint8_t, kSize> Exactly(const std::string& bytes) {
  EMEND_CHECK(bytes.size() == kSize, "a record on the line has the wrong size");
  std::array<std::uint8_t, kSize> array;
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}

void Append(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t Read(const HeaderBytes& bytes, std::size_t offset, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i > 0; --i) value = (value << 8) | bytes[offset + i - 1];
  return value;
}

}  // namespace

GreetingBytes EncodeGreeting(const LineGreeting& greeting) {
  std::string fields;
  Append(fields, kGreetingMagic, 4);
  Append(fields, kVersion, 4);
  for (const int number : {greeting.from, greeting.to, greeting.size})
    Append(fields, static_cast<std::uint32_t>(number), 4);
  Append(fields, greeting.generation, 8);
  const Digest proof = Sha256(greeting.secret + fields);
  return Exactly<std::tuple_size_v<GreetingBytes>>(fields + std::string(proof.Raw()));
}

HeaderBytes EncodeHeader(const LineHeader& header) {
  std::string fields;
  Append(fields, kHeaderMagic, 4);
  Append(fields, header.operation, 2);
  Append(fields, header.type, 2);
  Append(fields, static_cast<std::uint32_t>(header.root), 4);
  for (const std::uint64_t number :
       {header.generation, header.sequence, header.elements, header.element_bytes})
    Append(fields, number, 8);
  return Exactly<std::tuple_size_v<HeaderBytes>>(fields);
}

std::string DescribeHeader(const HeaderBytes& bytes) {
  if (Read(bytes, 0, 4) != kHeaderMagic) return "no collective";
  return "operation " + std::to_string(Read(bytes, 4, 2)) + " on " +
         std::to_string(Read(bytes, 28, 8)) + " elements of type " +
         std::to_string(Read(bytes, 6, 2)) + ", sequence " + std::to_string(Read(bytes, 20, 8)) +
         ", generation " + std::to_string(Read(bytes, 12, 8));
}

Result<boost::asio::ip::tcp::endpoint> ParseEndpoint(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon == std::string::npos ? 0 : colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  const std::string digits = colon == std::string::npos ? "" : address.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  boost::system::error_code bad;
  const auto parsed = boost::asio::ip::make_address(host, bad);
  if (bad || error != std::errc() || digits.empty() || end != digits.data() + digits.size()) {
    return InvalidArgument("reading the address of a rank: found \"" + address +
                           "\", expected an address and a port, such as 127.0.0.1:43211");
  }
  return boost::asio::ip::tcp::endpoint(parsed, port);
}

}  // namespace emend::worker::collective
