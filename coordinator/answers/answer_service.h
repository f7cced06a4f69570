// AnswerService: what answers questions: emendd, and beside it gateways (api/gateway), which know
// no more than names. api/rest puts it on the wire.
//
// Used on the runtime's executor only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/base/runtime.h"
#include "storage/records/journal.h"
#include "worker/protocol/messages.h"

namespace emend::coordinator::answers {

// Who calls, as authentication found out.
struct Caller {
  storage::records::Principal principal;
  std::vector<std::string> scopes;  // of: ask read propose review merge deploy admin
};

// A text, or what it is as token ids.
struct Prompt {
  std::string text;
  std::vector<std::int32_t> tokens = {};  // in place of `text`
  friend bool operator==(const Prompt&, const Prompt&) = default;
};

// Texts after prompts, `count` of each; text i of the request goes on from prompt i / count with
// the seed + i. A conversation, `text.messages`, is a prompt that the model's chat template makes.
struct CompletionRequest {
  RepoName repo;
  std::string revision;
  std::vector<Prompt> prompts;  // of a conversation one, which is empty
  std::int32_t count = 1;
  worker::protocol::Complete text;  // what all have in common; base, state and prompt are filled in
};
// What a step added to one of the texts, or how it ended.
struct CompletionPiece {
  std::size_t index = 0;  // of the text
  std::string text;
  std::vector<worker::protocol::PieceToken> tokens;
  std::optional<worker::protocol::CompleteReply> end;
};
class CompletionStream {
 public:
  CompletionStream(CommitId commit, StateId state) : commit_(commit), state_(state) {}
  virtual ~CompletionStream() = default;  // cancels what has not ended
  const CommitId& commit() const { return commit_; }
  const StateId& state() const { return state_; }
  // The next piece of any text; nothing once all have ended. The first failure ends them all.
  // `is_wanted` is asked now and then: kCancelled once it says no.
  virtual Awaitable<Result<std::optional<CompletionPiece>>> Next(
      std::function<bool()> is_wanted) = 0;

 private:
  const CommitId commit_;
  const StateId state_;
};

// What can be asked under a name.
struct ServedModel {
  RepoName repo;
  std::string ref;  // a branch or a tag
  CommitId commit;
  std::int64_t created_ms = 0;  // of the repo, Unix epoch
};

class AnswerService {
 public:
  virtual ~AnswerService() = default;

  // kUnauthenticated if no token has this secret.
  virtual Awaitable<Result<Caller>> Authenticate(std::string secret) = 0;

  // kNotFound; kResourceExhausted ("queue_full"). What a worker refuses (a prompt that is too long,
  // ...) comes from the stream.
  virtual Awaitable<Result<std::shared_ptr<CompletionStream>>> Complete(
      Caller caller, CompletionRequest request) = 0;
  virtual Awaitable<Result<std::vector<ServedModel>>> ListModels() = 0;
  // Whether it can answer; the message says what is missing.
  virtual Status Ready() const = 0;
};

}  // namespace emend::coordinator::answers
