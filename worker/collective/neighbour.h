// Neighbour: a rank beside this one on a line, its two connections, and whether it is still within
// reach. Internal to this folder.
//
//   // both connections are made
//   EMEND_CO_RETURN_IF_ERROR(neighbour.StartPulse());
//   neighbour.AwaitLoss([&](const Status& why) { failure = why; });     // while a collective runs
//   neighbour.EndWait();
//
// Data moves on one connection. Nothing ever moves on the other, the pulse: the system asks there
// each second whether the neighbour's system answers, and ends it when six have passed without. A
// neighbour that computes, is stopped or does not read answers all the same, so that it is never
// taken for lost. The data's own connection could not tell: a neighbour with full buffers is asked
// at intervals that double up to two minutes, and Linux before 6.6 may then not answer. Used by the
// thread that runs the sockets.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <optional>

#include "storage/base/status.h"

namespace emend::worker::collective {

struct Neighbour {
  int rank = 0;
  std::optional<boost::asio::ip::tcp::socket> data = {};
  std::optional<boost::asio::ip::tcp::socket> pulse = {};

  // REQUIRES: there is a pulse. kUnavailable where the system will not ask.
  Status StartPulse();
  // Calls `lost` when the pulse ends, until EndWait() or Close(). Does nothing before there is a
  // pulse.
  void AwaitLoss(std::function<void(const Status& why)> lost);
  void EndWait();
  // kUnavailable once the neighbour is out of reach or has closed its connection. Does not block.
  Status Look();
  void Close();
};

}  // namespace emend::worker::collective
