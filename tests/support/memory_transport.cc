#include "tests/support/memory_transport.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "storage/base/reason.h"
#include "tests/support/seeded_random.h"
#include "worker/protocol/envelope_stream.h"

namespace emend::test {
namespace {

using namespace worker::protocol;  // NOLINT(google-build-using-namespace): it is one of these

class MemoryConnection;
class MemoryListener;

class MemoryNetworkImpl final : public MemoryNetwork {
 public:
  MemoryNetworkImpl(Runtime& runtime, MemoryNetworkOptions options)
      : runtime_(runtime), options_(std::move(options)), random_(options_.seed) {}

  std::unique_ptr<Transport> Host(const std::string& name) override;
  void Cut(const std::string& host) override;
  void Partition(const std::string& host) override {
    Note("partition " + host);
    partitioned_.insert(host);
  }
  void Heal(const std::string& host) override;

  Result<std::unique_ptr<Listener>> Listen(const std::string& address);
  Awaitable<Result<std::shared_ptr<Connection>>> Dial(std::string host, std::string address,
                                                      SteadyTime deadline);
  void Forget(const std::string& address) { listeners_.erase(address); }

  Runtime& runtime() { return runtime_; }
  bool Separated(const std::string& a, const std::string& b) const {
    return partitioned_.contains(a) || partitioned_.contains(b);
  }
  SteadyTime::duration Latency() {
    const auto range =
        static_cast<std::uint64_t>((options_.latency_max - options_.latency_min).count()) + 1;
    return options_.latency_min + std::chrono::microseconds(random_.Below(range));
  }
  std::uint16_t VersionOf(const std::string& host) const {
    const auto found = options_.versions.find(host);
    return found == options_.versions.end() ? kProtocolVersion : found->second;
  }
  void Note(std::string_view event) const {
    if (options_.observer) options_.observer(event);
  }

 private:
  Runtime& runtime_;
  const MemoryNetworkOptions options_;
  SeededRandom random_;
  std::set<std::string> partitioned_;
  std::map<std::string, MemoryListener*> listeners_;  // by address; borrowed
  std::vector<std::weak_ptr<MemoryConnection>> connections_;
};

// One end. What it sends is put into the other end's `arrived_` after a delay.
class MemoryConnection final : public Connection,
                               public std::enable_shared_from_this<MemoryConnection> {
 public:
  MemoryConnection(MemoryNetworkImpl& network, std::string host, std::string other_host)
      : network_(network),
        host_(std::move(host)),
        other_host_(std::move(other_host)),
        stream_(network.VersionOf(host_)),
        readable_(network.runtime()) {}

  void Join(const std::shared_ptr<MemoryConnection>& other) { other_ = other; }

  Awaitable<Result<Envelope>> Receive(SteadyTime deadline) override {
    const auto self = shared_from_this();
    while (true) {
      if (end_.code() == StatusCode::kCancelled) co_return end_;
      Result<std::optional<Envelope>> next = stream_.Next();
      if (!next.ok()) {
        if (ReasonOf(next.status()) != Reason::kProtocolVersion) Close();
        co_return next.status();
      }
      if (next->has_value()) co_return std::move(**next);
      if (!end_.ok()) co_return end_;
      readable_.Reset();
      const bool arrived = co_await readable_.WaitUntil(deadline);
      if (!arrived)
        co_return Status(StatusCode::kDeadlineExceeded,
                         "receiving from " + other_host_ + ": nothing came by the deadline");
    }
  }

  Awaitable<Status> Send(Envelope envelope, SteadyTime) override {
    if (!end_.ok())
      co_return Unavailable("sending to " + other_host_ + ": the connection is closed");
    if (waiting_bytes_ >= kSendQueueBytesMax)
      co_return Status(StatusCode::kResourceExhausted, "send_queue_full",
                       "sending to " + other_host_ + ": 64 MiB wait already");
    EMEND_CO_ASSIGN_OR_RETURN(std::string wire, stream_.Encode(envelope));
    waiting_bytes_ += wire.size();
    waiting_.push_back(std::move(wire));
    Flush();
    co_return OkStatus();
  }

  void Close() override {
    End({StatusCode::kCancelled,
         "using the connection to " + other_host_ + ": it was closed on this side"});
    const std::shared_ptr<MemoryConnection> other = other_.lock();
    if (!other) return;
    closing_ = true;
    Flush();
  }
  std::string peer() const override { return other_host_; }

  const std::string& host() const { return host_; }
  bool Touches(const std::string& host) const { return host_ == host || other_host_ == host; }
  void Reset() { End(Unavailable("receiving from " + other_host_ + ": connection reset")); }

  // Hands what waits to the timers, unless a partition holds it back.
  void Flush() {
    if (network_.Separated(host_, other_host_)) return;
    while (!waiting_.empty()) {
      waiting_bytes_ -= waiting_.front().size();
      Schedule(
          [wire = std::move(waiting_.front())](MemoryConnection& other) { other.Arrive(wire); });
      waiting_.pop_front();
    }
    if (std::exchange(closing_, false)) {
      Schedule([](MemoryConnection& other) {
        other.End(Unavailable("receiving from " + other.other_host_ +
                              ": the peer closed the connection"));
      });
    }
  }

 private:
  template <typename Action>
  void Schedule(Action action) {
    const SteadyTime now = network_.runtime().clock().Now();
    last_arrival_ = std::max(last_arrival_, now + network_.Latency());
    network_.runtime().ScheduleAt(last_arrival_,
                                  [self = shared_from_this(), action = std::move(action)] {
                                    if (const auto other = self->other_.lock()) action(*other);
                                  });
  }

  void Arrive(const std::string& wire) {
    if (!end_.ok()) return;
    network_.Note("deliver " + other_host_ + "->" + host_ + " " + std::to_string(wire.size()));
    stream_.Feed(wire);
    readable_.Set();
  }

  void End(Status why) {
    if (!end_.ok()) return;
    end_ = std::move(why);
    readable_.Set();
  }

  MemoryNetworkImpl& network_;
  const std::string host_;
  const std::string other_host_;
  std::weak_ptr<MemoryConnection> other_;
  EnvelopeStream stream_;
  Signal readable_;
  Status end_;
  std::deque<std::string> waiting_;  // sent, not yet on its way
  std::size_t waiting_bytes_ = 0;
  bool closing_ = false;     // the other end is still to be told
  SteadyTime last_arrival_;  // at the other end; keeps the order
};

class MemoryListener final : public Listener {
 public:
  MemoryListener(MemoryNetworkImpl& network, std::string address)
      : network_(network), address_(std::move(address)), arrived_(network.runtime()) {}
  ~MemoryListener() override { Close(); }

  Awaitable<Result<std::shared_ptr<Connection>>> Accept() override {
    while (true) {
      if (closed_)
        co_return Status(StatusCode::kCancelled,
                         "accepting on " + address_ + ": the listener was closed");
      if (!backlog_.empty()) {
        std::shared_ptr<Connection> connection = std::move(backlog_.front());
        backlog_.pop_front();
        co_return connection;
      }
      arrived_.Reset();
      co_await arrived_.WaitUntil(SteadyTime::max());
    }
  }

  void Close() override {
    if (std::exchange(closed_, true)) return;
    network_.Forget(address_);
    for (const auto& connection : backlog_) connection->Close();
    backlog_.clear();
    arrived_.Set();
  }

  std::string address() const override { return address_; }
  std::string host() const { return address_.substr(0, address_.rfind(':')); }

  void Arrive(std::shared_ptr<Connection> connection) {
    backlog_.push_back(std::move(connection));
    arrived_.Set();
  }

 private:
  MemoryNetworkImpl& network_;
  const std::string address_;
  Signal arrived_;
  bool closed_ = false;
  std::deque<std::shared_ptr<Connection>> backlog_;
};

class MemoryHost final : public Transport {
 public:
  MemoryHost(MemoryNetworkImpl& network, std::string name)
      : network_(network), name_(std::move(name)) {}
  Result<std::unique_ptr<Listener>> Listen(const std::string& address) override {
    return network_.Listen(address);
  }
  Awaitable<Result<std::shared_ptr<Connection>>> Dial(std::string address,
                                                      SteadyTime deadline) override {
    return network_.Dial(name_, std::move(address), deadline);
  }

 private:
  MemoryNetworkImpl& network_;
  const std::string name_;
};

std::unique_ptr<Transport> MemoryNetworkImpl::Host(const std::string& name) {
  return std::make_unique<MemoryHost>(*this, name);
}

void MemoryNetworkImpl::Cut(const std::string& host) {
  Note("cut " + host);
  for (const auto& weak : std::vector(connections_)) {
    const auto connection = weak.lock();
    if (connection && connection->Touches(host)) connection->Reset();
  }
}

void MemoryNetworkImpl::Heal(const std::string& host) {
  Note("heal " + host);
  partitioned_.erase(host);
  for (const auto& weak : std::vector(connections_)) {
    const auto connection = weak.lock();
    if (connection && connection->Touches(host)) connection->Flush();
  }
}

Result<std::unique_ptr<Listener>> MemoryNetworkImpl::Listen(const std::string& address) {
  if (address.find(':') == std::string::npos)
    return InvalidArgument("listening on \"" + address + "\": expected HOST:PORT");
  if (listeners_.contains(address))
    return Unavailable("listening on " + address + ": the address is in use");
  auto listener = std::make_unique<MemoryListener>(*this, address);
  listeners_[address] = listener.get();
  return std::unique_ptr<Listener>(std::move(listener));
}

Awaitable<Result<std::shared_ptr<Connection>>> MemoryNetworkImpl::Dial(std::string host,
                                                                       std::string address,
                                                                       SteadyTime deadline) {
  const std::string other = address.substr(0, address.rfind(':'));
  co_await Sleep(runtime_, Latency());
  if (Separated(host, other)) {
    co_await Sleep(runtime_, deadline - runtime_.clock().Now());
    co_return Status(StatusCode::kDeadlineExceeded,
                     "dialing " + address + ": no answer by the deadline");
  }
  const auto found = listeners_.find(address);
  if (found == listeners_.end())
    co_return Unavailable("dialing " + address + ": connection refused");
  auto near = std::make_shared<MemoryConnection>(*this, host, other);
  auto far = std::make_shared<MemoryConnection>(*this, other, host);
  near->Join(far);
  far->Join(near);
  std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
  connections_.push_back(near);
  connections_.push_back(far);
  Note("dial " + host + "->" + other);
  found->second->Arrive(std::move(far));
  co_return std::shared_ptr<Connection>(std::move(near));
}

}  // namespace

std::unique_ptr<MemoryNetwork> NewMemoryNetwork(Runtime& runtime, MemoryNetworkOptions options) {
  return std::make_unique<MemoryNetworkImpl>(runtime, std::move(options));
}

}  // namespace emend::test
