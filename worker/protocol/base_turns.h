// BaseTurns: when another base may take the place of the one that a worker holds. It holds one at a
// time.
//
// A base that is in use is not displaced: who asks for another hears "base_busy", in the way of
// nobody, and asks again a little later. So that one base does not keep others away:
//
// * A base that was loaded has a turn of a few seconds, and keeps its place in it until it was
//   worked with and then left alone for a moment. Who had it loaded gets something of it, and so do
//   others who wait for the same; otherwise two that load in turn could displace each other without
//   end.
// * The worker remembers for a few seconds that another base was asked for. Once the turn is over,
//   no new text of the base held begins meanwhile: those under way end, and the other comes. A
//   stream of texts keeps nobody away. Where a text takes longer, others are not held back for its
//   sake for ever, but for twenty seconds out of forty. While work is under way texts may begin:
//   nothing is won by waiting for its end.
//
// Work is not held back. Where commits on one base follow each other without a pause, another base
// comes when it is asked for between two requests of theirs; who needs both at once has two
// workers.
//
//   BaseTurns turns;
//   EMEND_RETURN_IF_ERROR(turns.Admit(request, HeldBase{base, BaseUse::kTexts}, clock.Now()));
//   ...                                              // carry it out
//   turns.Done(request, clock.Now());                // if that succeeded
//
// One object a worker, used by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "storage/base/clock.h"
#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

// from its loading, or from what was last put in place before it was first worked with
inline constexpr std::chrono::seconds kBaseTurn{5};
inline constexpr std::chrono::milliseconds kBaseLeftAlone{100};
// whoever waits for a base asks again sooner
inline constexpr std::chrono::seconds kBaseWantedFor{5};
// less than what a text waits before it fails
inline constexpr std::chrono::seconds kTextsHeldBack{20};

enum class BaseUse : std::uint8_t { kNone, kTexts, kWork };

struct HeldBase {
  BaseId base;
  BaseUse use = BaseUse::kNone;  // what is under way on it
};

class BaseTurns {
 public:
  // Before a request is carried out; `held` is none where no base is loaded. kUnavailable
  // ("base_busy") for a LoadBase of another base that may not come yet, and for a Complete that
  // must wait for another base. Any other request may come.
  Status Admit(const RequestBody& request, const std::optional<HeldBase>& held, SteadyTime now);
  // It was carried out.
  void Done(const RequestBody& request, SteadyTime now);

 private:
  bool HoldsTextsBack(SteadyTime now) const;
  Status AdmitLoad(const BaseId& wanted, const HeldBase& held, SteadyTime now);

  BaseId loaded_;
  bool is_used_ = false;  // worked with since it was loaded
  SteadyTime turn_until_;
  SteadyTime asked_at_;  // the last request of it
  BaseId wanted_;        // the last that was refused
  SteadyTime wanted_since_;
  SteadyTime wanted_until_;
};

}  // namespace emend::worker::protocol
