#include "worker/server/between_steps.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "storage/base/log.h"
#include "worker/model/guard.h"
#include "worker/server/passing_on.h"

namespace emend::worker::server {
namespace {

using namespace std::chrono_literals;

constexpr auto kSliceMin = 20ms;  // between two looks for work
constexpr auto kSliceMax = 1s;    // of a long request's time, at each report

Status Cancelled() { return {StatusCode::kCancelled, "the coordinator cancelled the request"}; }

}  // namespace

void BetweenSteps::NoteBegin() {
  if (!is_between_) resumed_ = SystemClock().Now();
}

void BetweenSteps::NoteDone(const protocol::RequestBody& request) {
  turns_.Done(request, SystemClock().Now());
}

BetweenSteps::Word BetweenSteps::Decide(const Call& call, SteadyTime until, int turn,
                                        std::shared_ptr<Interlude>& next) {
  if (call.cancelled->load()) return Word::kCancelled;
  if (is_between_ || !group_.is_leader()) return Word::kGoOn;
  // Where several ask without a pause there is always a next one.
  const bool has_time = SystemClock().Now() < until;
  if (has_time || turn == 0) next = interludes_.Take();
  if (next) return Word::kInBetween;
  return has_time && slot_.has_texts_under_way() ? Word::kInBetween : Word::kGoOn;
}

Status BetweenSteps::StillWanted(const Call& call) {
  collective::Communicator& ranks = group_.communicator();
  const SteadyTime begin = SystemClock().Now();
  const SteadyTime until = begin + std::min<SteadyTime::duration>(begin - resumed_, kSliceMax);
  for (int turn = 0;; ++turn) {
    std::shared_ptr<Interlude> next;
    at::Tensor word =
        at::full({1}, static_cast<std::int64_t>(Decide(call, until, turn, next)), at::kLong);
    const Status decided = ranks.Broadcast(word, /*root=*/0);
    if (!decided.ok() && next) next->done(decided);
    EMEND_RETURN_IF_ERROR(decided);
    const auto decision = static_cast<Word>(word.item<std::int64_t>());
    if (decision == Word::kCancelled) return Cancelled();
    if (decision == Word::kGoOn) break;
    is_between_ = true;
    Status followed;
    if (next) {
      Answer(next);
    } else if (group_.is_leader()) {
      StepTexts();
    } else {
      followed = worker_.follow_next();
    }
    is_between_ = false;
    EMEND_RETURN_IF_ERROR(followed);
  }
  resumed_ = SystemClock().Now();
  return OkStatus();
}

bool BetweenSteps::RunOffered() {
  Reset();
  const SteadyTime until = SystemClock().Now() + kSliceMin;
  const auto has_time = [until] { return SystemClock().Now() < until; };
  while (true) {
    while (const auto next = interludes_.Take()) {
      Answer(next);
      if (!has_time()) break;
    }
    if (slot_.has_texts_under_way()) StepTexts();
    if (!slot_.has_texts_under_way() && interludes_.empty()) return false;
    if (!has_time()) return true;
  }
}

std::optional<protocol::HeldBase> BetweenSteps::Held() const {
  const LiveBase* const base = slot_.held();
  if (base == nullptr) return std::nullopt;
  if (is_between_) return protocol::HeldBase{base->id(), protocol::BaseUse::kWork};
  return protocol::HeldBase{base->id(), slot_.has_texts_under_way() ? protocol::BaseUse::kTexts
                                                                    : protocol::BaseUse::kNone};
}

void BetweenSteps::Answer(const std::shared_ptr<Interlude>& interlude) {
  passed_on_ = false;
  if (interlude->call.cancelled->load()) {
    interlude->done(Cancelled());
  } else if (const Status admitted = turns_.Admit(interlude->request, Held(), SystemClock().Now());
             !admitted.ok()) {
    interlude->done(admitted);
  } else if (std::holds_alternative<protocol::Complete>(interlude->request)) {
    BeginText(interlude);
  } else {
    interlude->done(worker_.handle(interlude->request, interlude->call));
  }
  // The other ranks wait for something to be passed on. If they are gone, whatever is asked next
  // says so.
  if (is_between_ && !passed_on_) static_cast<void>(PassNothing(group_));
}

void BetweenSteps::BeginText(const std::shared_ptr<Interlude>& text) {
  const Status begun = model::Guarded("beginning a text", [&]() -> Status {
    EMEND_RETURN_IF_ERROR(slot_.Find(std::get<protocol::Complete>(text->request).base).status());
    slot_.texts().Begin(text);
    return OkStatus();
  });
  if (!begun.ok()) text->done(begun);
}

void BetweenSteps::StepTexts() {
  const protocol::StepTexts step{slot_.held()->id()};
  const Status stepped = worker_.handle(step, NobodysCall()).status();
  if (!stepped.ok()) LogWarning("texts_not_stepped", {{"status", stepped}});
  // The group is lost: nothing steps them any more.
  if (!stepped.ok()) slot_.texts().EndAll(stepped);
}

}  // namespace emend::worker::server
