// Gateway: answers beside emendd, on what workers have live, also while emendd is away.
//
//   Gateway gateway(runtime, transport, {.worker_token = token, .worker_address = "0.0.0.0:7412"});
//   EMEND_RETURN_IF_ERROR(gateway.Start());
//   auto rest = rest::NewAnswerServer(runtime, gateway, {.address = "127.0.0.1:8331"});
//
// Workers dial in as they dial emendd (emend-worker --gateway). The gateway asks each, several
// times a second, what it may answer: names, commits and tokens as emendd published them last. It
// has no store, makes nothing live and changes nothing; a question goes to a worker that has the
// state, and the answer names its commit. Used on the runtime's executor only; `runtime` and
// `transport` must outlive it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "api/gateway/directory.h"
#include "coordinator/answers/text_streams.h"
#include "coordinator/membership/membership.h"

namespace emend::api::gateway {

struct GatewayOptions {
  std::string worker_token = {};               // what workers must present
  std::string worker_address = "127.0.0.1:0";  // where workers dial in
  std::chrono::milliseconds heartbeat{500};    // between it and workers
  // of emendd, after which nothing is answered any more; 0: for ever
  std::chrono::seconds silence_max{24 * 60 * 60};
  std::chrono::milliseconds reading_period{200};  // how often a worker is asked what it may answer
};

class Gateway final : public coordinator::answers::AnswerService {
 public:
  Gateway(Runtime& runtime, worker::protocol::Transport& transport, GatewayOptions options);

  // Listens for workers; errors as Membership::Start.
  Status Start();
  // Ends what is under way, and joins.
  Awaitable<void> Stop();
  std::string worker_address() const { return membership_->address(); }

  // kUnavailable ("no_worker") before a worker has come: whose token it is is not known.
  Awaitable<Result<coordinator::answers::Caller>> Authenticate(std::string secret) override;
  // kUnavailable ("coordinator_silent", and as Directory::Find).
  Awaitable<Result<std::shared_ptr<coordinator::answers::CompletionStream>>> Complete(
      coordinator::answers::Caller caller,
      coordinator::answers::CompletionRequest request) override;
  Awaitable<Result<std::vector<coordinator::answers::ServedModel>>> ListModels() override;
  Status Ready() const override;

 private:
  using ReplyBody = worker::protocol::ReplyBody;
  using RequestBody = worker::protocol::RequestBody;
  using OnPiece = std::function<void(const worker::protocol::Piece&)>;

  Status CheckSilence() const;
  Result<worker::protocol::PublishedRef> Find(const RepoName& repo,
                                              const std::string& revision) const;
  Awaitable<Status> Watch();
  Awaitable<Status> Read(WorkerId worker);
  // On a worker that has the state; on the next one if that has it no more, or is lost, and has
  // said nothing yet.
  Awaitable<Result<ReplyBody>> CallHolder(BaseId base, StateId state, RequestBody request,
                                          OnPiece on_piece, Signal* cancel);
  // The one with the least to do of those that have not failed; empty: none.
  WorkerId PickHolder(const BaseId& base, const StateId& state,
                      const std::set<WorkerId>& failed) const;
  Awaitable<Result<worker::protocol::CompleteReply>> CompleteText(
      coordinator::answers::TextCall call);

  Runtime& runtime_;
  const GatewayOptions options_;
  const std::unique_ptr<coordinator::membership::Membership> membership_;
  coordinator::answers::TextStreams streams_;
  TaskGroup tasks_;
  Signal stop_;
  Directory directory_;
  std::set<WorkerId> reading_;               // asked just now
  std::map<WorkerId, std::size_t> running_;  // calls under way
};

}  // namespace emend::api::gateway
