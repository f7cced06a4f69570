// The back end over TCP: any ranks that reach each other's addresses, on the CPU. Sums are taken in
// rank order, so the same inputs give the same bits every time.
//
//   EMEND_ASSIGN_OR_RETURN(auto line, Line::Join(std::move(port), options));
//   const std::unique_ptr<Communicator> communicator = NewTcpCommunicator(std::move(line));
//
// Tensors of other devices are copied to the CPU and back. kInvalidArgument for an element type
// other than fp32, fp64 and int64.
#pragma once

#include <memory>

#include "worker/collective/communicator.h"
#include "worker/collective/line.h"

namespace emend::worker::collective {

std::unique_ptr<Communicator> NewTcpCommunicator(std::unique_ptr<Line> line);

}  // namespace emend::worker::collective
