#include "coordinator/jobs/worker_session.h"

#include <utility>

namespace emend::coordinator::jobs {
namespace {

using namespace worker::protocol;  // NOLINT(google-build-using-namespace): the messages are this file's vocabulary

constexpr std::chrono::seconds kPickTimeout{30};
constexpr std::chrono::seconds kPickSlice{1};  // how soon a cancellation is noticed while no worker is there
constexpr std::size_t kPieceBytesMax = std::size_t{16} << 20;

using Payloads = std::vector<std::pair<EditId, std::string>>;

// The stored payloads of `edits` from `begin` on, until a piece is full; advances `begin`.
Result<Payloads> ReadPiece(const storage::objects::ObjectStore& objects, const std::vector<EditId>& edits, std::size_t& begin) {
  Payloads piece;
  std::size_t bytes = 0;
  for (; begin < edits.size() && bytes < kPieceBytesMax; ++begin) {
    EMEND_ASSIGN_OR_RETURN(const storage::objects::Edit edit, objects.ReadEdit(edits[begin]));
    EMEND_ASSIGN_OR_RETURN(std::string stored, objects.ReadPayload(edit.delta_object));
    bytes += stored.size();
    piece.emplace_back(edits[begin], std::move(stored));
  }
  return piece;
}

}  // namespace

Awaitable<Result<ReplyBody>> WorkerSession::CallAny(RequestBody request, std::chrono::milliseconds timeout) {
  membership::CallOptions options{.worker = worker_, .timeout = timeout, .on_progress = {}, .cancel = control_.cancel};
  if (control_.progress) {
    options.on_progress = [progress = control_.progress](const Progress& report) { progress(report.phase, report.done, report.total); };
  }
  co_return co_await context_.membership.Call(std::move(request), std::move(options));
}

Awaitable<Status> WorkerSession::Pick(StateId state) {
  if (control_.cancel == nullptr) {
    EMEND_CO_ASSIGN_OR_RETURN(worker_, co_await context_.membership.Pick(state, context_.runtime.clock().Now() + kPickTimeout));
    co_return OkStatus();
  }
  while (!control_.cancel->is_set()) {
    Result<WorkerId> picked = co_await context_.membership.Pick(state, context_.runtime.clock().Now() + kPickSlice);
    if (picked.ok()) worker_ = *picked;
    if (picked.ok() || picked.status().slug() != "no_worker") co_return picked.status();
    if (control_.progress) control_.progress("waiting for a worker", 0, 0);
  }
  co_return Status(StatusCode::kCancelled, "it was cancelled while it waited for a worker");
}

Awaitable<Status> WorkerSession::Open(StateId state) {
  EMEND_CO_RETURN_IF_ERROR(co_await Pick(state));
  const BaseId base = repository_.record().base;
  LoadBase request{base, context_.layout.model_folder(base)};
  EMEND_CO_ASSIGN_OR_RETURN(model_, co_await Call<LoadBaseReply>(std::move(request), kCallTimeout));
  co_return OkStatus();
}

Awaitable<Status> WorkerSession::SendEdits(std::vector<EditId> missing) {
  std::size_t begin = 0;
  while (begin < missing.size()) {
    EMEND_CO_ASSIGN_OR_RETURN(Payloads piece, co_await Blocking(context_.runtime, [&] { return ReadPiece(repository_.objects(), missing, begin); }));
    PutEdits request{repository_.record().base, std::move(piece)};
    EMEND_CO_RETURN_IF_ERROR((co_await Call<PutEditsReply>(std::move(request), kCallTimeout)).status());
  }
  co_return OkStatus();
}

Awaitable<Status> WorkerSession::Ensure(StateId state) {
  EMEND_CO_ASSIGN_OR_RETURN(std::vector<EditId> edits, co_await Blocking(context_.runtime, [&] { return repository_.Edits(state); }));
  // Twice: once to hear what is missing, once with all of it sent. A third would mean that the worker drops what it was just given.
  for (int attempt = 0; attempt < 2; ++attempt) {
    EnsureState request{repository_.record().base, state, edits};
    EMEND_CO_ASSIGN_OR_RETURN(EnsureStateReply reply, co_await Call<EnsureStateReply>(std::move(request), kCallTimeout));
    if (reply.missing.empty()) co_return OkStatus();
    EMEND_CO_RETURN_IF_ERROR(co_await SendEdits(std::move(reply.missing)));
  }
  EnsureState request{repository_.record().base, state, std::move(edits)};
  EMEND_CO_ASSIGN_OR_RETURN(EnsureStateReply reply, co_await Call<EnsureStateReply>(std::move(request), kCallTimeout));
  if (reply.missing.empty()) co_return OkStatus();
  co_return Internal("making state " + state.Short() + " live: worker " + worker_.value() + " still misses " + std::to_string(reply.missing.size()) +
                     " edits after all were sent; its edit cache may be too small");
}

}  // namespace emend::coordinator::jobs
