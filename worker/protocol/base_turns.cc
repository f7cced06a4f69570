#include "worker/protocol/base_turns.h"

#include <algorithm>
#include <string>

namespace emend::worker::protocol {
namespace {

Status Busy(const std::string& what) { return {StatusCode::kUnavailable, "base_busy", what}; }

}  // namespace

bool BaseTurns::HoldsTextsBack(SteadyTime now) const {
  return now >= turn_until_ && now < wanted_until_ &&
         (now - wanted_since_) / kTextsHeldBack % 2 == 0;
}

Status BaseTurns::Admit(const RequestBody& request, const std::optional<HeldBase>& held,
                        SteadyTime now) {
  if (!held) loaded_ = BaseId();
  if (!held) return OkStatus();
  if (const auto* load = std::get_if<LoadBase>(&request)) return AdmitLoad(load->base, *held, now);
  const auto* const text = std::get_if<Complete>(&request);
  const bool makes_room = text != nullptr && text->base == held->base &&
                          held->use != BaseUse::kWork && HoldsTextsBack(now);
  if (makes_room)
    return Busy("beginning a text on base " + held->base.Short() + ": base " + wanted_.Short() +
                " was asked for, and comes first");
  return OkStatus();
}

Status BaseTurns::AdmitLoad(const BaseId& wanted, const HeldBase& held, SteadyTime now) {
  if (wanted == held.base) return OkStatus();
  std::string use;
  if (held.use == BaseUse::kWork) use = " is worked on";
  if (held.use == BaseUse::kTexts) use = " has texts under way";
  const bool has_turn = now < turn_until_ && (!is_used_ || now < asked_at_ + kBaseLeftAlone);
  if (use.empty() && has_turn) use = " was just loaded";
  if (use.empty()) return OkStatus();
  wanted_ = wanted;
  if (now >= wanted_until_) wanted_since_ = std::max(now, turn_until_);
  wanted_until_ = now + kBaseWantedFor;
  return Busy("loading base " + wanted.Short() + ": base " + held.base.Short() + use);
}

void BaseTurns::Done(const RequestBody& request, SteadyTime now) {
  const OnBase on_base = TraitsOf(request).on_base;
  if (on_base == OnBase::kNothing) return;
  const auto* const load = std::get_if<LoadBase>(&request);
  const bool is_new = load != nullptr && load->base != loaded_;
  if (is_new) {
    loaded_ = load->base;
    is_used_ = false;
    if (loaded_ == wanted_) wanted_until_ = SteadyTime();
  }
  asked_at_ = now;
  is_used_ = is_used_ || on_base == OnBase::kWorks;
  if (!is_used_) turn_until_ = now + kBaseTurn;
}

}  // namespace emend::worker::protocol
