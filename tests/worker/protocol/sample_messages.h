// One message of every kind with every field set, and random ones.
#pragma once

#include <random>
#include <vector>

#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

// The content of tests/golden/frame-v1.bin: only append.
std::vector<Message> SampleMessages(std::uint16_t version = kProtocolVersion);
// Any message, of a few kilobytes.
Message RandomMessage(std::mt19937_64& random);

}  // namespace emend::worker::protocol
