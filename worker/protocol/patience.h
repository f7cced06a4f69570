// How long a Receive waits: until its deadline, or, once a welcomed peer's frame has begun, as long
// as bytes keep coming, up to a minute a frame. Otherwise a large reply would look like silence. A
// peer that has not proven a token gets no such grace.
#pragma once

#include <algorithm>
#include <chrono>

#include "storage/base/clock.h"
#include "worker/protocol/envelope_stream.h"

namespace emend::worker::protocol {

class Patience {
 public:
  static constexpr std::chrono::seconds kFrameMax{60};

  explicit Patience(const Clock& clock) : clock_(clock) {}

  void Begin(SteadyTime deadline) {
    deadline_ = deadline;
    silence_max_ = std::max(SteadyTime::duration::zero(), deadline - clock_.Now());
  }
  void BytesCame() {
    last_byte_ = clock_.Now();
    if (!frame_began_) frame_begin_ = last_byte_;
    frame_began_ = true;
  }
  void FrameEnded() { frame_began_ = false; }
  SteadyTime Until(const EnvelopeStream& stream) const {
    if (!stream.welcomed() || !stream.mid_frame() || !frame_began_) return deadline_;
    return std::max(deadline_, std::min(last_byte_ + silence_max_, frame_begin_ + kFrameMax));
  }

 private:
  const Clock& clock_;
  SteadyTime deadline_;
  SteadyTime::duration silence_max_{};
  SteadyTime last_byte_;
  SteadyTime frame_begin_;
  bool frame_began_ = false;
};

}  // namespace emend::worker::protocol
