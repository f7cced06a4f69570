// Line: the ranks of a group in a row, each connected to the one below and the one above, moving
// bytes up and down it. What the TCP communicator is made of.
//
//   // before anyone knows where the others are
//   EMEND_ASSIGN_OR_RETURN(auto port, LinePort::Open("0.0.0.0"));
//   EMEND_ASSIGN_OR_RETURN(auto line, Line::Join(std::move(port), {.rank = 1, .size = 3,
//       .generation = 7, .secret = s, .addresses = a}));
//   EMEND_RETURN_IF_ERROR(line->AllReduce(bytes, {.name = "all_reduce_sum", .elements = n,
//       .element_bytes = 4}, add));
//
// A sum is taken from rank 0 upward, so that it is ((x0 + x1) + x2) + ..., the same bits on every
// rank and in every run. Data moves in pieces, up and down at once: a group of any size takes about
// the time of two hops, and each rank sends and receives its data twice at most.
//
// Every call begins with a header that both neighbours compare: generation, sequence, operation,
// element type, count. A mismatch, a neighbour that is lost or has been out of reach for six
// seconds, or a passed deadline ends the line for good, on this rank and, as its connections close,
// on all: kUnavailable ("group_lost"), kDeadlineExceeded ("collective_timeout"), kInternal
// ("collective_mismatch"), each naming rank, operation, sequence and generation.
//
// Used by one thread, which also runs the sockets; Abort() from any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace emend::worker::collective {

// Where the rank below will find this one.
class LinePort {
 public:
  // `host`: the address to listen on, "127.0.0.1"; the port is the system's choice. kUnavailable,
  // kInvalidArgument.
  static Result<std::unique_ptr<LinePort>> Open(const std::string& host);
  ~LinePort();
  LinePort(const LinePort&) = delete;
  LinePort& operator=(const LinePort&) = delete;

  // "127.0.0.1:43211"
  const std::string& address() const { return address_; }

 private:
  friend class Line;
  struct Socket;
  LinePort();
  std::unique_ptr<Socket> socket_;
  std::string address_;
};

struct LineOptions {
  int rank = 0;
  int size = 1;
  std::uint64_t generation = 0;
  // of the group; a connection that does not bring it is dropped
  std::string secret;
  std::vector<std::string> addresses;  // of each rank's port, by rank
  std::chrono::milliseconds join_timeout{30'000};
  std::chrono::milliseconds call_timeout{60'000};  // of each collective
  std::size_t piece_bytes = std::size_t{1} << 18;  // rounded to 64
};

// What the neighbours compare before data moves.
struct LineCall {
  const char* name = "";        // "all_reduce_sum"
  std::uint16_t operation = 0;  // names differ, numbers decide
  std::uint16_t type = 0;       // of the elements
  std::uint64_t elements = 0;   // of the whole call
  std::uint64_t element_bytes = 0;
  std::int32_t root = -1;
};

// into := below ⊕ own, elementwise; `below` is what the lower ranks came to, `into` holds this
// rank's own.
using Combine =
    std::function<void(std::span<const std::uint8_t> below, std::span<std::uint8_t> into)>;

class Line {
 public:
  // Connects to both neighbours. kDeadlineExceeded names the one that is missing.
  static Result<std::unique_ptr<Line>> Join(std::unique_ptr<LinePort> port, LineOptions options);
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  int rank() const;
  int size() const;

  // data := data of rank 0 ⊕ ... ⊕ data of the last rank, on every rank.
  Status AllReduce(std::span<std::uint8_t> data, const LineCall& call, const Combine& combine);
  // The same, of which each rank gets its own of `size()` equal parts right; the rest of `data` is
  // scratch then.
  Status ReduceScatter(std::span<std::uint8_t> data, const LineCall& call, const Combine& combine);
  // data := data of call.root.
  Status Broadcast(std::span<std::uint8_t> data, const LineCall& call);
  // `all`: `size()` equal parts, of which this rank's is filled in; afterwards all are.
  Status AllGather(std::span<std::uint8_t> all, const LineCall& call);

  // The header alone: no data moves on the line. For calls whose data travels beside it; compares
  // with the neighbours, and does not wait for others.
  Status Compare(const LineCall& call);

  // The last call, "all_reduce_sum 17 on rank 1 of 2, generation 7".
  std::string Describe(const LineCall& call) const;
  // kUnavailable ("group_lost") once a neighbour has closed its connection or is out of reach;
  // while no call is under way. Does not block.
  Status Watch() const;
  // Closes the connections, which tells the neighbours; every later call answers `why`. By the
  // thread that uses the line.
  void End(Status why);
  void Abort();

 private:
  struct Impl;
  explicit Line(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace emend::worker::collective
