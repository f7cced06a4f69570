// One worker's handlers, asked directly, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <variant>

#include "tests/support/status_matchers.h"
#include "tests/worker/server/atlas_requests.h"
#include "tests/worker/server/kept_solution.h"
#include "worker/server/handlers.h"

namespace emend::worker::server {

// The solve is made once for all tests of a program.
class HandlersTest : public ::testing::Test {
 protected:
  Result<protocol::ReplyBody> Ask(const protocol::RequestBody& request) {
    Call call;
    call.cancelled = cancelled_;
    call.progress = [this](std::string_view phase, std::uint64_t, std::uint64_t) {
      phases_.emplace(phase);
      if (cancel_at_first_report_) cancelled_->store(true);
    };
    return handlers_.Handle(request, call);
  }
  template <typename Reply>
  Reply Get(const protocol::RequestBody& request) {
    const Result<protocol::ReplyBody> reply = Ask(request);
    EXPECT_THAT(reply, test::IsOk());
    return reply.ok() ? std::get<Reply>(*reply) : Reply{};
  }
  void LoadBaseState() {
    ASSERT_THAT(Ask(LoadRequest()), test::IsOk());
    ASSERT_TRUE(Get<protocol::EnsureStateReply>(EnsureRequest(BaseState(), 0)).missing.empty());
  }
  const protocol::SolveReply& Solved() {
    LoadBaseState();
    return KeptSolution();
  }
  // Follows a text to its end.
  Status Say(const protocol::Complete& text,
             const std::function<void(const protocol::Piece&)>& on_piece) {
    Status ended = Internal("not ended");
    const Call call{.cancelled = cancelled_,
                    .progress = [](std::string_view, std::uint64_t, std::uint64_t) {}};
    handlers_.Offer(std::make_shared<Interlude>(Interlude{
        text, call, [&](const Result<protocol::ReplyBody>& reply) { ended = reply.status(); },
        on_piece}));
    while (handlers_.RunOffered()) continue;
    return ended;
  }
  std::string Answer(const StateId& state, std::size_t fact) {
    std::string text;
    EXPECT_THAT(
        Say(TextRequest(state, fact, 6), [&](const protocol::Piece& piece) { text += piece.text; }),
        test::IsOk());
    return text;
  }

  Handlers handlers_{LiveBaseOptions{.states_max = 2, .edit_bytes_max = std::size_t{1} << 30}};
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  bool cancel_at_first_report_ = false;
  std::set<std::string> phases_;
};

}  // namespace emend::worker::server
