// One message of every kind with every field set, and random ones.
#pragma once

#include <random>
#include <vector>

#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

// The content of tests/golden/frame-v3.bin: one message of every kind at least.
std::vector<Message> SampleMessages();
// Any message, of a few kilobytes.
Message RandomMessage(std::mt19937_64& random);

}  // namespace emend::worker::protocol
