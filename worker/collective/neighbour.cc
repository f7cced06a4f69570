#include "worker/collective/neighbour.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <utility>

namespace emend::worker::collective {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr int kAskSeconds = 1;     // between questions
constexpr int kUnansweredMax = 5;  // the pulse ends a second behind the last of so many

Status OutOfReach(int rank) {
  return Unavailable("rank " + std::to_string(rank) +
                     " is out of reach: its system answers nothing");
}

}  // namespace

Status Neighbour::StartPulse() {
  const std::array<std::array<int, 3>, 4> settings{{{SOL_SOCKET, SO_KEEPALIVE, 1},
                                                    {IPPROTO_TCP, TCP_KEEPIDLE, kAskSeconds},
                                                    {IPPROTO_TCP, TCP_KEEPINTVL, kAskSeconds},
                                                    {IPPROTO_TCP, TCP_KEEPCNT, kUnansweredMax}}};
  for (const auto& [level, name, value] : settings) {
    if (setsockopt(pulse->native_handle(), level, name, &value, sizeof value) == 0) continue;
    return Unavailable("having the system ask whether rank " + std::to_string(rank) +
                       " is there: it does not take option " + std::to_string(name));
  }
  return OkStatus();
}

// An end that the neighbour makes is no error of the socket: what it sent before is still to be
// read, and its data's end says the rest.
void Neighbour::AwaitLoss(std::function<void(const Status& why)> lost) {
  if (!pulse.has_value()) return;
  pulse->async_wait(tcp::socket::wait_error,
                    [of = rank, lost = std::move(lost)](const error_code& cancelled) {
                      if (!cancelled) lost(OutOfReach(of));
                    });
}

void Neighbour::EndWait() {
  error_code ignored;
  if (pulse.has_value()) pulse->cancel(ignored);
}

Status Neighbour::Look() {
  if (!data.has_value() || !pulse.has_value()) return OkStatus();
  std::array<pollfd, 2> looked_at{
      {{data->native_handle(), POLLRDHUP, 0}, {pulse->native_handle(), 0, 0}}};
  if (poll(looked_at.data(), looked_at.size(), 0) <= 0) return OkStatus();
  if ((looked_at[1].revents & POLLERR) != 0) return OutOfReach(rank);
  return Unavailable("rank " + std::to_string(rank) + " has closed its connection");
}

void Neighbour::Close() {
  error_code ignored;
  if (data.has_value()) data->close(ignored);
  if (pulse.has_value()) pulse->close(ignored);
}

}  // namespace emend::worker::collective
