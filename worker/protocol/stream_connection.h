// A Connection over a stream of bytes: a TCP socket, or TLS on one. Internal to this folder; see
// connection.h.
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <memory>
#include <string>

#include "storage/base/reason.h"
#include "worker/protocol/connection.h"
#include "worker/protocol/envelope_stream.h"
#include "worker/protocol/patience.h"

namespace emend::worker::protocol {

namespace asio = boost::asio;
using boost::system::error_code;

// Invariants: at most one read and one write are under way, each keeping the connection alive;
// bytes are read only while Receive wants more, so that the peer is held back by TCP. Boost 1.74
// cannot cancel one of the two alone: a wait that expires leaves its read under way for the next
// Receive.
template <typename Stream>
class StreamConnection final : public Connection,
                               public std::enable_shared_from_this<StreamConnection<Stream>> {
 public:
  StreamConnection(Runtime& runtime, Stream stream, std::string peer)
      : runtime_(runtime),
        peer_(std::move(peer)),
        socket_(std::move(stream)),
        readable_(runtime),
        patience_(runtime.clock()) {}

  // What the two sides must agree on before the first frame. Nothing is read or written until it
  // has ended; its failure ends the connection. Whoever receives or sends meanwhile waits for it
  // with his own deadline.
  template <typename Handshake>
  void Begin(Handshake handshake) {
    ready_ = false;
    handshake(socket_,
              [self = this->shared_from_this()](const error_code& error) { self->Begun(error); });
  }

  Awaitable<Result<Envelope>> Receive(SteadyTime deadline) override {
    const auto self = this->shared_from_this();
    patience_.Begin(deadline);
    while (true) {
      if (end_.code() == StatusCode::kCancelled) co_return end_;
      Result<std::optional<Envelope>> next = stream_.Next();
      if (!next.ok()) {
        if (ReasonOf(next.status()) != Reason::kProtocolVersion) Close();
        co_return next.status();
      }
      if (next->has_value()) {
        patience_.FrameEnded();
        co_return std::move(**next);
      }
      if (!end_.ok()) co_return end_;
      StartRead();
      const bool came = co_await readable_.WaitUntil(patience_.Until(stream_));
      if (came || runtime_.clock().Now() < patience_.Until(stream_)) continue;
      if (stream_.mid_frame()) Close();
      co_return Status(StatusCode::kDeadlineExceeded,
                       "receiving from " + peer_ + ": nothing came by the deadline");
    }
  }

  Awaitable<Status> Send(Envelope envelope, SteadyTime deadline) override {
    const auto self = this->shared_from_this();
    if (!end_.ok())
      co_return Status(StatusCode::kUnavailable,
                       "sending to " + peer_ + ": the connection is closed");
    if (queued_bytes_ >= kSendQueueBytesMax) {
      co_return Status(StatusCode::kResourceExhausted, "send_queue_full",
                       "sending to " + peer_ + ": " + std::to_string(queued_bytes_) +
                           " bytes wait already; the peer reads too slowly");
    }
    EMEND_CO_ASSIGN_OR_RETURN(std::string wire, stream_.Encode(envelope));
    const auto item = std::make_shared<Outgoing>(runtime_, std::move(wire));
    queued_bytes_ += item->wire.size();
    queue_.push_back(item);
    if (ready_ && queue_.size() == 1) StartWrite();
    const bool sent = co_await item->done.WaitUntil(deadline);
    if (sent) co_return item->status;
    Abandon(item);
    co_return Status(StatusCode::kDeadlineExceeded,
                     "sending to " + peer_ + ": not handed to the system by the deadline");
  }

  void Close() override {
    End({StatusCode::kCancelled,
         "using the connection to " + peer_ + ": it was closed on this side"});
  }
  std::string peer() const override { return peer_; }

 private:
  struct Outgoing {
    Outgoing(Runtime& runtime, std::string bytes) : wire(std::move(bytes)), done(runtime) {}
    std::string wire;
    Signal done;
    Status status;
  };

  void Begun(const error_code& error) {
    if (error) {
      End(Unavailable("agreeing on TLS with " + peer_ + ": " + error.message() +
                      "; both sides need certificates of the same authority"));
      return;
    }
    if (!end_.ok()) return;
    ready_ = true;
    StartRead();
    if (!queue_.empty()) StartWrite();
  }

  void StartRead() {
    readable_.Reset();
    if (reading_ || !ready_) return;
    reading_ = true;
    socket_.async_read_some(asio::buffer(buffer_), [self = this->shared_from_this()](
                                                       const error_code& error, std::size_t size) {
      self->reading_ = false;
      self->stream_.Feed({self->buffer_.data(), size});
      if (size > 0) self->patience_.BytesCame();
      if (error) self->End(Unavailable("receiving from " + self->peer_ + ": " + error.message()));
      self->readable_.Set();
    });
  }

  void StartWrite() {
    const std::shared_ptr<Outgoing> item = queue_.front();
    asio::async_write(
        socket_, asio::buffer(item->wire),
        [self = this->shared_from_this(), item](const error_code& error, std::size_t) {
          if (error) {
            self->End(Unavailable("sending to " + self->peer_ + ": " + error.message()));
            return;
          }
          self->Finish(item, OkStatus());
          if (!self->queue_.empty()) self->StartWrite();
        });
  }

  void Finish(const std::shared_ptr<Outgoing>& item, Status status) {
    const auto found = std::find(queue_.begin(), queue_.end(), item);
    if (found == queue_.end()) return;
    queue_.erase(found);
    queued_bytes_ -= item->wire.size();
    item->status = std::move(status);
    item->done.Set();
  }

  // A frame that is partly in the stream cannot be taken back.
  void Abandon(const std::shared_ptr<Outgoing>& item) {
    if (ready_ && !queue_.empty() && queue_.front() == item) {
      Close();
    } else {
      Finish(item, OkStatus());
    }
  }

  void End(Status why) {
    if (!end_.ok()) return;
    end_ = std::move(why);
    error_code ignored;
    socket_.lowest_layer().shutdown(asio::socket_base::shutdown_both, ignored);
    socket_.lowest_layer().close(ignored);
    while (!queue_.empty())
      Finish(queue_.front(), Unavailable("sending to " + peer_ + ": the connection ended"));
    readable_.Set();
  }

  Runtime& runtime_;
  const std::string peer_;
  // Owned by the executor.
  Stream socket_;
  EnvelopeStream stream_;
  Signal readable_;
  Patience patience_;
  Status end_;         // why the connection ended; ok while it lives
  bool ready_ = true;  // frames may go
  bool reading_ = false;
  std::array<char, 256 * 1024> buffer_;
  std::deque<std::shared_ptr<Outgoing>> queue_;  // the front is being written
  std::size_t queued_bytes_ = 0;
};

}  // namespace emend::worker::protocol
