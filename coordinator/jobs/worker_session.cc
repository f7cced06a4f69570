#include "coordinator/jobs/worker_session.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "coordinator/core/state_builder.h"
#include "storage/base/reason.h"
#include "worker/protocol/base_turns.h"

namespace emend::coordinator::jobs {
namespace {

// NOLINT(google-build-using-namespace): the messages are this file's vocabulary
using namespace worker::protocol;

constexpr std::chrono::seconds kPickTimeout{30};  // for whoever waits for an answer
// how soon a cancellation is noticed while no worker is there
constexpr std::chrono::seconds kPickSlice{1};
// before a worker that is busy with another base is asked again; twice as long each time
constexpr std::chrono::milliseconds kBusyWaitMin{100};
constexpr std::chrono::milliseconds kBusyWaitMax{1000};  // a turn may be short
static_assert(kBusyWaitMax < kBaseWantedFor, "a worker forgets who waits for it");
constexpr std::size_t kPieceBytesMax = std::size_t{16} << 20;

// a worker holds one base and a few states of it; those of other repos and revisions may come in
// between
constexpr int kRepeatsMax = 8;

using Payloads = std::vector<std::pair<EditId, std::string>>;

// The stored payloads of `edits` from `begin` on, until a piece is full; advances `begin`.
Result<Payloads> ReadPiece(const storage::objects::ObjectStore& objects,
                           const std::vector<EditId>& edits, std::size_t& begin) {
  Payloads piece;
  std::size_t bytes = 0;
  for (; begin < edits.size() && bytes < kPieceBytesMax; ++begin) {
    EMEND_ASSIGN_OR_RETURN(std::string stored, core::ReadDelta(objects, edits[begin]));
    bytes += stored.size();
    piece.emplace_back(edits[begin], std::move(stored));
  }
  return piece;
}

// Decodes the record and builds a root for each tensor of the model.
Result<LoadBase> DescribeBase(const storage::history::Repository& repository,
                              const core::StoreLayout& layout) {
  const BaseId base = repository.record().base;
  EMEND_ASSIGN_OR_RETURN(storage::objects::Base recorded,
                         storage::objects::DecodeBase(repository.record().base_encoded));
  LoadBase request{base, layout.model_folder(base), std::move(recorded.files)};
  // A store of an earlier release has no tile file until the model is imported again; its workers
  // hash whole files.
  std::error_code error;
  if (std::filesystem::exists(layout.tile_file(base), error)) {
    request.tile_file = layout.tile_file(base);
    for (const auto& [name, tensor] : recorded.tensors) request.roots[name] = tensor.root;
  }
  return request;
}

}  // namespace

Awaitable<Result<ReplyBody>> WorkerSession::Send(RequestBody request,
                                                 std::chrono::milliseconds timeout) {
  membership::CallOptions options{
      .worker = worker_, .timeout = timeout, .on_progress = {}, .cancel = control_.cancel};
  if (control_.progress) {
    options.on_progress = [progress = control_.progress](const Progress& report) {
      progress(report.phase, report.done, report.total);
    };
  }
  if (control_.piece) {
    options.on_piece = [this](const Piece& piece) {
      has_spoken_ = true;
      control_.piece(piece);
    };
  }
  co_return co_await context_.workers.Call(std::move(request), std::move(options));
}

Awaitable<Status> WorkerSession::Pick() {
  const SteadyTime deadline = context_.runtime.clock().Now() + kPickTimeout;
  while (control_.cancel == nullptr || !control_.cancel->is_set()) {
    const SteadyTime slice = context_.runtime.clock().Now() + kPickSlice;
    Result<WorkerId> picked = co_await context_.workers.Pick(wanted_, slice);
    if (picked.ok()) worker_ = *picked;
    if (picked.ok() || ReasonOf(picked.status()) != Reason::kNoWorker) co_return picked.status();
    if (!control_.progress && slice >= deadline) co_return picked.status();
    if (control_.progress) control_.progress("waiting for a worker", 0, 0);
  }
  co_return Status(StatusCode::kCancelled, "it was cancelled while it waited for a worker");
}

Awaitable<Status> WorkerSession::WaitForTurn(Status busy) {
  const SteadyTime now = context_.runtime.clock().Now();
  busy_wait_ = busy_since_ ? std::min(2 * busy_wait_, kBusyWaitMax) : kBusyWaitMin;
  if (!busy_since_) busy_since_ = now;
  if (!control_.progress && now - *busy_since_ >= kPickTimeout) {
    co_return Status(busy.code(), busy.slug(),
                     "waiting for a worker for half a minute: all are busy with other models (" +
                         busy.message() +
                         "); ask again later, or start more workers, which hold a model each");
  }
  if (control_.progress) control_.progress("waiting for a worker", 0, 0);
  if (control_.cancel == nullptr) {
    co_await Sleep(context_.runtime, busy_wait_);
  } else {
    co_await control_.cancel->WaitUntil(now + busy_wait_);
  }
  co_return co_await Pick();
}

Awaitable<Status> WorkerSession::Open(StateId state) {
  wanted_ = {.base = repository_.record().base, .state = state};
  EMEND_CO_RETURN_IF_ERROR(co_await Pick());
  Status loaded = co_await Load();
  while (ReasonOf(loaded) == Reason::kBaseBusy) {
    EMEND_CO_RETURN_IF_ERROR(co_await WaitForTurn(loaded));
    loaded = co_await Load();
  }
  co_return loaded;
}

Awaitable<Status> WorkerSession::OpenOn(WorkerId worker) {
  is_pinned_ = true;
  worker_ = std::move(worker);
  co_return co_await Load();
}

Awaitable<Status> WorkerSession::Load() {
  if (!load_) {
    EMEND_CO_ASSIGN_OR_RETURN(load_, co_await Blocking(context_.runtime, [&] {
                                return DescribeBase(repository_, context_.layout);
                              }));
  }
  LoadBase request = *load_;
  Result<ReplyBody> reply = co_await Send(std::move(request), kCallTimeout);
  EMEND_CO_ASSIGN_OR_RETURN(model_, ReplyAs<LoadBaseReply>(std::move(reply)));
  co_return OkStatus();
}

Awaitable<Status> WorkerSession::SendEdits(std::vector<EditId> missing) {
  std::size_t begin = 0;
  while (begin < missing.size()) {
    EMEND_CO_ASSIGN_OR_RETURN(Payloads piece, co_await Blocking(context_.runtime, [&] {
                                return ReadPiece(repository_.objects(), missing, begin);
                              }));
    PutEdits request{repository_.record().base, std::move(piece)};
    Result<ReplyBody> reply = co_await Send(std::move(request), kCallTimeout);
    EMEND_CO_RETURN_IF_ERROR(reply.status());
  }
  co_return OkStatus();
}

Awaitable<Status> WorkerSession::Ensure(StateId state) {
  EMEND_CO_ASSIGN_OR_RETURN(std::vector<EditId> edits, co_await Blocking(context_.runtime, [&] {
                              return repository_.Edits(state);
                            }));
  // Twice: once to hear what is missing, once with all of it sent.
  for (int attempt = 0; attempt < 2; ++attempt) {
    EnsureState request{repository_.record().base, state, edits};
    Result<ReplyBody> sent = co_await Send(std::move(request), kCallTimeout);
    EMEND_CO_ASSIGN_OR_RETURN(EnsureStateReply reply, ReplyAs<EnsureStateReply>(std::move(sent)));
    if (reply.missing.empty()) co_return OkStatus();
    if (attempt == 0) {
      EMEND_CO_RETURN_IF_ERROR(co_await SendEdits(std::move(reply.missing)));
    }
  }
  co_return Failure(Reason::kStateNotLive,
                    "making state " + state.Short() + " live: worker " + worker_.value() +
                        " misses edits that it was just sent; another state displaced them");
}

Awaitable<Result<CompleteReply>> WorkerSession::Complete(worker::protocol::Complete request) {
  has_spoken_ = false;
  wanted_ = {.base = repository_.record().base, .state = request.state};
  EMEND_CO_RETURN_IF_ERROR(co_await Pick());
  std::vector<StateId> states = {request.state};
  Result<ReplyBody> reply =
      co_await CallAny(std::move(states), std::move(request), kSolveTimeout, Need::kNothing);
  co_return ReplyAs<CompleteReply>(std::move(reply));
}

Awaitable<Result<ReplyBody>> WorkerSession::CallAny(std::vector<StateId> states,
                                                    RequestBody request,
                                                    std::chrono::milliseconds timeout, Need first) {
  Status displaced;
  Need need = first;
  for (int attempt = 0; attempt < kRepeatsMax;) {
    const Reason why = ReasonOf(displaced);
    if (why == Reason::kWorkerLost) {
      EMEND_CO_RETURN_IF_ERROR(co_await Pick());
    }
    if (why == Reason::kBaseBusy) {
      EMEND_CO_RETURN_IF_ERROR(co_await WaitForTurn(displaced));
    }
    if (why == Reason::kWorkerLost || why == Reason::kBaseNotLoaded) need = Need::kBaseAndState;
    if (why == Reason::kStateNotLive) need = Need::kState;
    displaced = OkStatus();
    if (need == Need::kBaseAndState) displaced = co_await Load();
    for (const StateId& state : states) {
      if (need != Need::kNothing && displaced.ok()) displaced = co_await Ensure(state);
    }
    if (displaced.ok()) {
      RequestBody copy = request;
      Result<ReplyBody> reply = co_await Send(std::move(copy), timeout);
      if (reply.ok()) busy_since_.reset();
      if (reply.ok()) co_return reply;
      displaced = reply.status();
    }
    const bool is_busy = ReasonOf(displaced) == Reason::kBaseBusy;
    const bool is_lost = ReasonOf(displaced) == Reason::kWorkerLost;
    if (has_spoken_ || (is_pinned_ && (is_busy || is_lost))) co_return displaced;
    if (!Allows(displaced, Retry::kResend)) co_return displaced;
    if (!is_busy) ++attempt;  // waiting has an end of its own
  }
  co_return displaced.WithContext("repeating a request " + std::to_string(kRepeatsMax) + " times");
}

}  // namespace emend::coordinator::jobs
