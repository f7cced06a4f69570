// How workers join, stay, and become groups of several ranks. Part of messages.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "storage/base/ids.h"
#include "worker/protocol/equal_fields.h"

namespace emend::worker::protocol {

// In the head of every frame. Whoever reads another one refuses it by name.
inline constexpr std::uint16_t kProtocolVersion = 3;

// First message of a worker.
struct Hello {
  std::string token;  // the secret of the coordinator's token file
  WorkerId worker;    // stable over restarts of the process ("w0")
  // worker group ("g0"); ranks of one group hold one model together
  std::string group;
  std::int32_t rank = 0;
  std::int32_t world_size = 1;
  std::string device;  // "cpu", "cuda:0"
  std::int32_t threads = 1;
  std::uint64_t memory_bytes = 0;  // what it may use; 0: unknown
  std::uint64_t process_id = 0;
  static auto Fields(auto& m) {
    return std::tie(m.token, m.worker, m.group, m.rank, m.world_size, m.device, m.threads,
                    m.memory_bytes, m.process_id);
  }
};

// The coordinator's answer; the connection is then in use.
struct Welcome {
  std::uint64_t store_epoch = 0;  // rises with each start of emendd on its store
  std::uint64_t generation = 0;   // of the group; rises whenever a rank joins or is lost
  // how often each side sends one; silence of three of them is death
  std::uint32_t heartbeat_ms = 0;
  static auto Fields(auto& m) { return std::tie(m.store_epoch, m.generation, m.heartbeat_ms); }
};

// Or a refusal, after which the connection closes.
struct Refuse {
  std::string slug;
  std::string message;
  static auto Fields(auto& m) { return std::tie(m.slug, m.message); }
};

// What one rank holds, by kind.
struct MemoryUse {
  std::uint64_t weights_bytes = 0;  // of the base, as computed with
  // edited tensors of the live states, and the payloads kept for them
  std::uint64_t states_bytes = 0;
  std::uint64_t statistics_bytes = 0;  // covariances and their factors
  std::uint64_t cache_bytes = 0;       // keys and values of texts under way
  std::uint64_t file_bytes_read = 0;   // of the base's files, when it was loaded
  static auto Fields(auto& m) {
    return std::tie(m.weights_bytes, m.states_bytes, m.statistics_bytes, m.cache_bytes,
                    m.file_bytes_read);
  }
};

struct Heartbeat {
  MemoryUse memory;  // of a worker; zeros of a coordinator
  static auto Fields(auto& m) { return std::tie(m.memory); }
};

// ---- Groups of several ranks: the coordinator forms them, and speaks to rank 0 from then on ----

// Leave the group, whatever is under way, and open a port for a new line
// (worker/collective/line.h).
struct OpenLine {
  using Reply = struct OpenLineReply;
  static auto Fields(auto&) { return std::tie(); }
};
struct OpenLineReply {
  std::string address;  // where the rank below dials
  static auto Fields(auto& m) { return std::tie(m.address); }
};

// Join the line whose ports these are.
struct JoinGroup {
  using Reply = struct JoinGroupReply;
  std::uint64_t generation = 0;
  std::int32_t rank = 0;
  std::vector<std::string> addresses;  // by rank
  std::string secret;                  // of this generation of the group
  static auto Fields(auto& m) { return std::tie(m.generation, m.rank, m.addresses, m.secret); }
};
struct JoinGroupReply {
  static auto Fields(auto&) { return std::tie(); }
};

// Let go of what was asked for before on this worker's conversations, and say in
// which group you are: a coordinator that has lost a rank's connection, or was started again, takes
// up a group that stands.
struct AdoptGroup {
  using Reply = struct AdoptGroupReply;
  static auto Fields(auto&) { return std::tie(); }
};
struct GroupPlace {
  Digest line;  // SHA-256 of the secret that the ranks joined with
  std::int32_t rank = 0;
  std::int32_t size = 1;
  static auto Fields(auto& m) { return std::tie(m.line, m.rank, m.size); }
};
struct AdoptGroupReply {
  std::optional<GroupPlace> place;  // none: in no group that stands
  static auto Fields(auto& m) { return std::tie(m.place); }
};

// To the ranks above 0: do what rank 0 passes on. Ends with the group, always as a failure that
// says why.
struct Follow {
  using Reply = struct FollowReply;
  static auto Fields(auto&) { return std::tie(); }
};
struct FollowReply {
  static auto Fields(auto&) { return std::tie(); }
};

// Between the ranks of a group alone: one step of the texts under way.
struct StepTexts {
  using Reply = struct StepTextsReply;
  BaseId base;
  static auto Fields(auto& m) { return std::tie(m.base); }
};
struct StepTextsReply {
  static auto Fields(auto&) { return std::tie(); }
};

}  // namespace emend::worker::protocol
