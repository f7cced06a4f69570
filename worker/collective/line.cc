#include "worker/collective/line.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <optional>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/reason.h"
#include "worker/collective/line_port.h"
#include "worker/collective/line_wire.h"
#include "worker/collective/neighbour.h"

namespace emend::worker::collective {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Flow = asio::awaitable<Status>;
using Bytes = std::span<std::uint8_t>;

constexpr std::size_t kPieceStep = 64;  // pieces end between elements
constexpr int kTcpRtoMaxMs = 44;        // TCP_RTO_MAX_MS, which Debian 12's headers lack
constexpr int kSendAgainMs = 1000;      // the least that it takes
constexpr std::chrono::milliseconds kDialAgain{50};
// then again, by whichever way there is by now: a link may just have come back
constexpr std::chrono::seconds kConnectMax{1};
// a stranger that connects and says nothing keeps nobody waiting longer
constexpr std::chrono::seconds kGreetingMax{5};

Flow Write(tcp::socket* socket, std::span<const std::uint8_t> bytes) {
  error_code error;
  co_await asio::async_write(*socket, asio::buffer(bytes.data(), bytes.size()),
                             asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return Unavailable("sending to a neighbour: " + error.message());
  co_return OkStatus();
}

Flow Read(tcp::socket* socket, Bytes bytes) {
  error_code error;
  co_await asio::async_read(*socket, asio::buffer(bytes.data(), bytes.size()),
                            asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return Unavailable("receiving from a neighbour: " + error.message());
  co_return OkStatus();
}

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

}  // namespace

struct Line::Impl {
  Impl(std::unique_ptr<LinePort::Socket> opened, LineOptions given)
      : port(std::move(opened)),
        options(std::move(given)),
        lower{.rank = options.rank - 1},
        upper{.rank = options.rank + 1} {}

  bool has_lower() const { return options.rank > 0; }
  bool has_upper() const { return options.rank + 1 < options.size; }
  int last() const { return options.size - 1; }
  std::string Where() const {
    return "rank " + std::to_string(options.rank) + " of " + std::to_string(options.size) +
           ", generation " + std::to_string(options.generation);
  }

  // Over one rank every collective is the identity.
  Status Alone() const {
    if (!aborted) return OkStatus();
    return {StatusCode::kUnavailable, "group_lost",
            "a collective on " + Where() + ": the group was aborted"};
  }

  void Close() {
    error_code ignored;
    port->acceptor.close(ignored);
    lower.Close();
    upper.Close();
    if (dialling.has_value()) dialling->close(ignored);
  }

  // Runs the flows to their end; the first that fails, the deadline or a neighbour out of reach
  // closes the connections, which ends the others.
  Status Run(const std::string& what, std::chrono::milliseconds timeout, std::vector<Flow> flows);
  Status RunCall(const LineCall& call, Flow up, Flow down);

  // ---- joining
  Flow JoinLower();
  Flow JoinUpper();
  Flow Accept(std::optional<tcp::socket>* socket);
  Flow Dial(std::optional<tcp::socket>* socket);
  Flow Greet(tcp::socket* socket, int neighbour, bool speaks_first);

  // ---- collectives: what moves upward, and what moves downward
  Flow Headers(tcp::socket* out, tcp::socket* in, LineHeader header);
  // Reads `range` of `data` from `in` (null: it is there already) and passes on what of it lies
  // before `forward_end` to `out` (null: nobody).
  Flow Pass(tcp::socket* in, tcp::socket* out, Bytes data, Range range, std::size_t forward_end);
  Flow ReduceUp(LineHeader header, Bytes data, const Combine* combine, std::size_t returned_below);
  Flow ReduceDown(LineHeader header, Bytes data, std::size_t returned_here,
                  std::size_t returned_below);
  Flow BroadcastUp(LineHeader header, Bytes data, int root);
  Flow BroadcastDown(LineHeader header, Bytes data, int root);
  Flow GatherUp(LineHeader header, Bytes all, std::size_t part);
  Flow GatherDown(LineHeader header, Bytes all, std::size_t part);

  tcp::socket* Lower() { return lower.data.has_value() ? &*lower.data : nullptr; }
  tcp::socket* Upper() { return upper.data.has_value() ? &*upper.data : nullptr; }
  LineHeader HeaderOf(const LineCall& call) const {
    return {call.operation, call.type,     call.root,         options.generation,
            sequence,       call.elements, call.element_bytes};
  }
  Status Reduce(Bytes data, const LineCall& call, const Combine& combine, std::size_t returned_here,
                std::size_t returned_below);

  // first in, last out: the sockets run on its context
  const std::unique_ptr<LinePort::Socket> port;
  const LineOptions options;
  Neighbour lower;
  Neighbour upper;
  std::optional<tcp::socket> dialling;
  std::uint64_t dial_attempt = 0;
  std::vector<std::uint8_t> scratch;
  std::uint64_t sequence = 0;
  Status ended;  // why no call is possible any more
  std::atomic<bool> aborted = false;
};

// ---- running -----------------------------------------------------------------------------------

Status Line::Impl::Run(const std::string& what, std::chrono::milliseconds timeout,
                       std::vector<Flow> flows) {
  if (!ended.ok()) return ended;
  asio::io_context& context = port->context;
  context.restart();
  std::size_t open = flows.size();
  Status failure;
  bool timed_out = false;
  asio::steady_timer deadline(context, timeout);
  deadline.async_wait([&](const error_code& error) {
    if (error || open == 0) return;
    timed_out = true;
    Close();
  });
  for (Neighbour* neighbour : {&lower, &upper}) {
    neighbour->AwaitLoss([&](const Status& why) {
      if (open == 0 || !failure.ok()) return;
      failure = why;
      Close();
    });
  }
  for (Flow& flow : flows) {
    asio::co_spawn(context, std::move(flow), [&](std::exception_ptr thrown, Status status) {
      EMEND_CHECK(thrown == nullptr, "a flow of a collective threw");
      if (failure.ok() && !status.ok()) {
        failure = std::move(status);
        Close();
      }
      if (--open > 0) return;
      deadline.cancel();
      lower.EndWait();
      upper.EndWait();
    });
  }
  context.run();
  if (aborted) {
    ended = Status(StatusCode::kUnavailable, "group_lost",
                   what + " on " + Where() + ": the group was aborted");
  } else if (timed_out) {
    ended = Status(StatusCode::kDeadlineExceeded, "collective_timeout",
                   what + " on " + Where() + ": not done after " + std::to_string(timeout.count()) +
                       " ms; a rank hangs or cannot be reached");
  } else if (ReasonOf(failure) == Reason::kCollectiveMismatch) {
    ended = failure.WithContext(what + " on " + Where());
  } else if (!failure.ok()) {
    ended = Status(StatusCode::kUnavailable, "group_lost",
                   what + " on " + Where() + ": " + failure.message());
  }
  return ended;
}

Status Line::Impl::RunCall(const LineCall& call, Flow up, Flow down) {
  const std::string what = std::string(call.name) + " " + std::to_string(sequence);
  ++sequence;
  std::vector<Flow> flows;
  flows.push_back(std::move(up));
  flows.push_back(std::move(down));
  return Run(what, options.call_timeout, std::move(flows));
}

// ---- joining -----------------------------------------------------------------------------------

Flow Line::Impl::Greet(tcp::socket* socket, int neighbour, bool speaks_first) {
  const LineGreeting mine{options.rank, neighbour, options.size, options.generation,
                          options.secret};
  const GreetingBytes sent = EncodeGreeting(mine);
  GreetingBytes received{};
  if (speaks_first) {
    EMEND_CO_RETURN_IF_ERROR(co_await Write(socket, sent));
  }
  EMEND_CO_RETURN_IF_ERROR(co_await Read(socket, received));
  const LineGreeting expected{neighbour, options.rank, options.size, options.generation,
                              options.secret};
  if (received != EncodeGreeting(expected))
    co_return Unavailable("a connection did not bring the greeting of rank " +
                          std::to_string(neighbour));
  if (!speaks_first) {
    EMEND_CO_RETURN_IF_ERROR(co_await Write(socket, sent));
  }
  error_code ignored;
  socket->set_option(tcp::no_delay(true), ignored);
  // A link that was cut or slow and is well again is used within a second, instead of after TCP's
  // waits, which double. Linux before 6.15 does not know it.
  setsockopt(socket->native_handle(), IPPROTO_TCP, kTcpRtoMaxMs, &kSendAgainMs,
             sizeof kSendAgainMs);
  co_return OkStatus();
}

Flow Line::Impl::JoinLower() {
  EMEND_CO_RETURN_IF_ERROR(co_await Accept(&lower.data));
  EMEND_CO_RETURN_IF_ERROR(co_await Accept(&lower.pulse));
  co_return lower.StartPulse();
}

Flow Line::Impl::JoinUpper() {
  EMEND_CO_RETURN_IF_ERROR(co_await Dial(&upper.data));
  EMEND_CO_RETURN_IF_ERROR(co_await Dial(&upper.pulse));
  co_return upper.StartPulse();
}

// Whoever does not greet as the rank below is dropped, and the next is heard.
Flow Line::Impl::Accept(std::optional<tcp::socket>* socket) {
  while (true) {
    error_code error;
    tcp::socket accepted =
        co_await port->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error)
      co_return Unavailable("waiting for rank " + std::to_string(lower.rank) + ": " +
                            error.message());
    socket->emplace(std::move(accepted));
    asio::steady_timer patience(port->context, kGreetingMax);
    patience.async_wait([socket](const error_code& cancelled) {
      error_code ignored;
      if (!cancelled && socket->has_value()) (*socket)->close(ignored);
    });
    const Status greeted = co_await Greet(&**socket, lower.rank, /*speaks_first=*/false);
    if (greeted.ok()) co_return OkStatus();
    if (!port->acceptor.is_open()) co_return greeted;
    socket->reset();
  }
}

Flow Line::Impl::Dial(std::optional<tcp::socket>* socket) {
  const std::string& address = options.addresses[static_cast<std::size_t>(upper.rank)];
  EMEND_CO_ASSIGN_OR_RETURN(const tcp::endpoint endpoint, ParseEndpoint(address));
  while (port->acceptor.is_open()) {
    error_code error;
    dialling.emplace(port->context);
    asio::steady_timer patience(port->context, kConnectMax);
    // The timer may have expired just before the connection was made, its handler still to come.
    patience.async_wait([this, attempt = ++dial_attempt](const error_code& cancelled) {
      error_code ignored;
      if (!cancelled && attempt == dial_attempt && dialling.has_value()) dialling->close(ignored);
    });
    co_await dialling->async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
    ++dial_attempt;
    patience.cancel();
    if (!error) {
      const Status greeted = co_await Greet(&*dialling, upper.rank, /*speaks_first=*/true);
      if (greeted.ok()) {
        socket->emplace(std::move(*dialling));
        dialling.reset();
        co_return OkStatus();
      }
    }
    asio::steady_timer pause(port->context, kDialAgain);
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
  co_return Unavailable("reaching rank " + std::to_string(upper.rank) + " at " + address +
                        ": it did not answer");
}

// ---- what moves --------------------------------------------------------------------------------

Flow Line::Impl::Headers(tcp::socket* out, tcp::socket* in, LineHeader header) {
  const HeaderBytes mine = EncodeHeader(header);
  if (out != nullptr) {
    EMEND_CO_RETURN_IF_ERROR(co_await Write(out, mine));
  }
  if (in == nullptr) co_return OkStatus();
  HeaderBytes theirs{};
  EMEND_CO_RETURN_IF_ERROR(co_await Read(in, theirs));
  if (theirs == mine) co_return OkStatus();
  const int neighbour = in == Lower() ? lower.rank : upper.rank;
  co_return Status(StatusCode::kInternal, "collective_mismatch",
                   "rank " + std::to_string(neighbour) + " is at " + DescribeHeader(theirs) +
                       ", this rank at " + DescribeHeader(mine));
}

Flow Line::Impl::Pass(tcp::socket* in, tcp::socket* out, Bytes data, Range range,
                      std::size_t forward_end) {
  for (std::size_t begin = range.begin; begin < range.end; begin += options.piece_bytes) {
    const std::size_t end = std::min(range.end, begin + options.piece_bytes);
    if (in != nullptr) {
      EMEND_CO_RETURN_IF_ERROR(co_await Read(in, data.subspan(begin, end - begin)));
    }
    const std::size_t sent_end = std::min(end, forward_end);
    if (out != nullptr && begin < sent_end) {
      EMEND_CO_RETURN_IF_ERROR(co_await Write(out, data.subspan(begin, sent_end - begin)));
    }
  }
  co_return OkStatus();
}

// The last rank turns each piece around as soon as it is whole.
Flow Line::Impl::ReduceUp(LineHeader header, Bytes data, const Combine* combine,
                          std::size_t returned_below) {
  EMEND_CO_RETURN_IF_ERROR(co_await Headers(Upper(), Lower(), header));
  if (!has_upper()) {
    EMEND_CO_RETURN_IF_ERROR(co_await Headers(Lower(), nullptr, header));
  }
  for (std::size_t begin = 0; begin < data.size(); begin += options.piece_bytes) {
    const Bytes piece = data.subspan(begin, std::min(options.piece_bytes, data.size() - begin));
    if (has_lower()) {
      scratch.resize(piece.size());
      EMEND_CO_RETURN_IF_ERROR(co_await Read(Lower(), scratch));
      (*combine)(scratch, piece);
    }
    if (has_upper()) {
      EMEND_CO_RETURN_IF_ERROR(co_await Write(Upper(), piece));
    } else if (begin < returned_below) {
      EMEND_CO_RETURN_IF_ERROR(
          co_await Write(Lower(), piece.first(std::min(piece.size(), returned_below - begin))));
    }
  }
  co_return OkStatus();
}

Flow Line::Impl::ReduceDown(LineHeader header, Bytes data, std::size_t returned_here,
                            std::size_t returned_below) {
  if (!has_upper()) co_return OkStatus();
  EMEND_CO_RETURN_IF_ERROR(co_await Headers(Lower(), Upper(), header));
  co_return co_await Pass(Upper(), Lower(), data, {0, returned_here}, returned_below);
}

Flow Line::Impl::BroadcastUp(LineHeader header, Bytes data, int root) {
  EMEND_CO_RETURN_IF_ERROR(co_await Headers(Upper(), Lower(), header));
  if (options.rank < root) co_return OkStatus();
  co_return co_await Pass(options.rank == root ? nullptr : Lower(), Upper(), data, {0, data.size()},
                          data.size());
}

Flow Line::Impl::BroadcastDown(LineHeader header, Bytes data, int root) {
  EMEND_CO_RETURN_IF_ERROR(co_await Headers(Lower(), Upper(), header));
  if (options.rank > root) co_return OkStatus();
  co_return co_await Pass(options.rank == root ? nullptr : Upper(), Lower(), data, {0, data.size()},
                          data.size());
}

Flow Line::Impl::GatherUp(LineHeader header, Bytes all, std::size_t part) {
  EMEND_CO_RETURN_IF_ERROR(co_await Headers(Upper(), Lower(), header));
  const std::size_t own = static_cast<std::size_t>(options.rank) * part;
  EMEND_CO_RETURN_IF_ERROR(co_await Pass(Lower(), Upper(), all, {0, own}, own));
  co_return co_await Pass(nullptr, Upper(), all, {own, own + part}, own + part);
}

Flow Line::Impl::GatherDown(LineHeader header, Bytes all, std::size_t part) {
  EMEND_CO_RETURN_IF_ERROR(co_await Headers(Lower(), Upper(), header));
  const std::size_t own = static_cast<std::size_t>(options.rank) * part;
  EMEND_CO_RETURN_IF_ERROR(co_await Pass(nullptr, Lower(), all, {own, own + part}, own + part));
  co_return co_await Pass(Upper(), Lower(), all, {own + part, all.size()}, all.size());
}

Status Line::Impl::Reduce(Bytes data, const LineCall& call, const Combine& combine,
                          std::size_t returned_here, std::size_t returned_below) {
  if (options.size == 1) return Alone();
  const LineHeader header = HeaderOf(call);
  return RunCall(call, ReduceUp(header, data, &combine, returned_below),
                 ReduceDown(header, data, returned_here, returned_below));
}

// ---- Line --------------------------------------------------------------------------------------

Line::Line(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Line::~Line() { impl_->Close(); }
int Line::rank() const { return impl_->options.rank; }
int Line::size() const { return impl_->options.size; }

Result<std::unique_ptr<Line>> Line::Join(std::unique_ptr<LinePort> port, LineOptions options) {
  const bool is_sound = options.size >= 1 && options.rank >= 0 && options.rank < options.size &&
                        options.piece_bytes > 0;
  if (!is_sound || options.addresses.size() != static_cast<std::size_t>(options.size)) {
    return InvalidArgument("joining a group: found rank " + std::to_string(options.rank) + " of " +
                           std::to_string(options.size) + " with " +
                           std::to_string(options.addresses.size()) +
                           " addresses, expected an address for each rank");
  }
  options.piece_bytes = std::max(kPieceStep, options.piece_bytes / kPieceStep * kPieceStep);
  auto impl = std::make_unique<Impl>(std::move(port->socket_), std::move(options));
  std::vector<Flow> flows;
  if (impl->has_lower()) flows.push_back(impl->JoinLower());
  if (impl->has_upper()) flows.push_back(impl->JoinUpper());
  if (!flows.empty())
    EMEND_RETURN_IF_ERROR(impl->Run("joining", impl->options.join_timeout, std::move(flows)));
  error_code ignored;
  impl->port->acceptor.close(ignored);
  return std::unique_ptr<Line>(new Line(std::move(impl)));
}

Status Line::AllReduce(Bytes data, const LineCall& call, const Combine& combine) {
  return impl_->Reduce(data, call, combine, data.size(), impl_->has_lower() ? data.size() : 0);
}

Status Line::ReduceScatter(Bytes data, const LineCall& call, const Combine& combine) {
  const std::size_t part = data.size() / static_cast<std::size_t>(size());
  EMEND_CHECK(part * static_cast<std::size_t>(size()) == data.size(),
              "reduce-scatter of data that does not divide by the ranks");
  const auto below = static_cast<std::size_t>(rank());
  return impl_->Reduce(data, call, combine, (below + 1) * part, below * part);
}

Status Line::Broadcast(Bytes data, const LineCall& call) {
  if (size() == 1) return impl_->Alone();
  const LineHeader header = impl_->HeaderOf(call);
  return impl_->RunCall(call, impl_->BroadcastUp(header, data, call.root),
                        impl_->BroadcastDown(header, data, call.root));
}

Status Line::AllGather(Bytes all, const LineCall& call) {
  if (size() == 1) return impl_->Alone();
  const std::size_t part = all.size() / static_cast<std::size_t>(size());
  EMEND_CHECK(part * static_cast<std::size_t>(size()) == all.size(),
              "all-gather of data that does not divide by the ranks");
  const LineHeader header = impl_->HeaderOf(call);
  return impl_->RunCall(call, impl_->GatherUp(header, all, part),
                        impl_->GatherDown(header, all, part));
}

Status Line::Compare(const LineCall& call) {
  if (size() == 1) {
    ++impl_->sequence;
    return impl_->Alone();
  }
  const LineHeader header = impl_->HeaderOf(call);
  return impl_->RunCall(call, impl_->BroadcastUp(header, {}, call.root),
                        impl_->BroadcastDown(header, {}, call.root));
}

std::string Line::Describe(const LineCall& call) const {
  return std::string(call.name) + " " +
         std::to_string(impl_->sequence == 0 ? 0 : impl_->sequence - 1) + " on " + impl_->Where();
}

Status Line::Watch() const {
  if (!impl_->ended.ok()) return impl_->ended;
  for (Neighbour* neighbour : {&impl_->lower, &impl_->upper}) {
    const Status there = neighbour->Look();
    if (!there.ok()) return {StatusCode::kUnavailable, "group_lost", there.message()};
  }
  return OkStatus();
}

void Line::End(Status why) {
  if (impl_->ended.ok()) impl_->ended = std::move(why);
  impl_->Close();
}

void Line::Abort() {
  impl_->aborted = true;
  asio::post(impl_->port->context, [impl = impl_.get()] { impl->Close(); });
}

}  // namespace emend::worker::collective
