// What the ranks of this worker's group are like, as emend doctor hears it.
#pragma once

#include "worker/collective/probe.h"
#include "worker/protocol/messages.h"

namespace emend::worker::server {

// By all ranks together. Errors as collective::ProbeGroup.
Result<protocol::ProbeRanksReply> ProbeRanks(collective::Communicator& communicator,
                                             const collective::ProbeOptions& options);

}  // namespace emend::worker::server
