// Completions: texts after prompts on what emendd knows: any commit of any repo.
//
//   EMEND_CO_ASSIGN_OR_RETURN(auto stream, co_await completions.Begin(request));
//
// Each text is one call of a worker; it keeps the state of the commit that was resolved when it
// began, from its first token to its last (coordinator/answers/text_streams.h). Used on the
// executor only.
#pragma once

#include <memory>

#include "coordinator/answers/text_streams.h"
#include "coordinator/jobs/job.h"
#include "storage/history/repository.h"

namespace emend::coordinator::server {

class Completions {
 public:
  // `context` must outlive it.
  explicit Completions(jobs::JobContext& context) : context_(context), streams_(context.runtime) {}
  // As AnswerService::Complete.
  Awaitable<Result<std::shared_ptr<answers::CompletionStream>>> Begin(
      answers::CompletionRequest request);
  // Cancels every text and joins; false if they did not end in time.
  Awaitable<bool> Stop() { return streams_.Stop(); }

 private:
  using SharedRepository = std::shared_ptr<const storage::history::Repository>;

  Status CheckRoom(const answers::CompletionRequest& request) const;
  std::size_t WorkerCount() const;
  Awaitable<Result<worker::protocol::CompleteReply>> Complete(SharedRepository repository,
                                                              answers::TextCall call);

  jobs::JobContext& context_;
  answers::TextStreams streams_;
};

}  // namespace emend::coordinator::server
