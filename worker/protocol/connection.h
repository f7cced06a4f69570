// A framed, ordered, two-way connection between coordinator and worker, over TCP or in memory.
//
// Frames are laid out in frame.h. A frame longer than kFrameBytesMax (before Welcome: 64 KiB), a
// wrong magic, version or checksum ends the connection: after that nothing in the stream can be
// trusted.
//
// Used on the runtime's executor only. One coroutine receives; any number send (frames go out
// whole, in order of the calls). Close() from anywhere on the executor ends every wait with
// kCancelled.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "storage/base/runtime.h"
#include "storage/base/status.h"
#include "worker/protocol/frame.h"
#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

struct Envelope {
  std::uint64_t store_epoch = 0;
  std::uint64_t generation = 0;
  Message message;
};

class Connection {
 public:
  virtual ~Connection() = default;
  // kDeadlineExceeded leaves the connection usable only if no byte of a frame had come; otherwise
  // it is closed. After Welcome a frame that has begun may take longer (at most a minute) as long
  // as no silence within it is longer than the caller's patience. kUnavailable: the peer is gone.
  // kDataLoss: a malformed frame or message; the connection is closed. kUnsupported
  // ("protocol_version"): the peer speaks another version. Nothing more is received, but a last
  // message can be sent: its frame says to the peer which version is spoken here.
  virtual Awaitable<Result<Envelope>> Receive(SteadyTime deadline) = 0;
  // Returns when the frame is handed to the system. kResourceExhausted when 64 MiB or more wait
  // already ("send_queue_full") or the message does not fit a frame ("frame_too_long");
  // kUnavailable when closed. kDeadlineExceeded: nothing of it was sent, or the connection is
  // closed.
  virtual Awaitable<Status> Send(Envelope envelope, SteadyTime deadline) = 0;
  virtual void Close() = 0;
  // For logs: "127.0.0.1:53412".
  virtual std::string peer() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  // The next connection; kCancelled after Close().
  virtual Awaitable<Result<std::shared_ptr<Connection>>> Accept() = 0;
  virtual void Close() = 0;
  // "127.0.0.1:41234", with the port that the system chose.
  virtual std::string address() const = 0;
};

// How processes reach each other: TCP in production, in memory and in virtual time in the
// simulation.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual Result<std::unique_ptr<Listener>> Listen(const std::string& address) = 0;
  virtual Awaitable<Result<std::shared_ptr<Connection>>> Dial(std::string address,
                                                              SteadyTime deadline) = 0;
};

std::unique_ptr<Transport> NewTcpTransport(Runtime& runtime);

// Paths of PEM files. All empty: no TLS.
struct TlsFiles {
  std::string certificate;  // and its chain
  std::string key;          // of the certificate
  std::string authority;    // whose certificates the other side may show
  bool empty() const { return certificate.empty() && key.empty() && authority.empty(); }
};
// TCP with mutual TLS 1.3: either side refuses a peer without a certificate of its authority, and
// who dials also one that does not name the host. A refusal is seen by Receive or Send, as
// kUnavailable. Files that are renewed count for connections made later. kInvalidArgument
// ("bad_tls_files").
Result<std::unique_ptr<Transport>> NewTlsTransport(Runtime& runtime, TlsFiles files);

}  // namespace emend::worker::protocol
