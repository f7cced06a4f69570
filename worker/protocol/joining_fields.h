// Numbers and fields of the messages by which workers join and stay. Internal to this folder.
#pragma once

#include "worker/protocol/message_archive.h"
#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

template <>
inline constexpr std::uint16_t kKind<Hello> = 1;
template <>
inline constexpr std::uint16_t kKind<Welcome> = 2;
template <>
inline constexpr std::uint16_t kKind<Refuse> = 3;
template <>
inline constexpr std::uint16_t kKind<Heartbeat> = 4;
template <>
inline constexpr std::uint16_t kKind<Request> = 5;
template <>
inline constexpr std::uint16_t kKind<Progress> = 6;
template <>
inline constexpr std::uint16_t kKind<Response> = 7;
template <>
inline constexpr std::uint16_t kKind<Cancel> = 8;
template <>
inline constexpr std::uint16_t kKind<Piece> = 9;

template <typename Archive>
void Visit(Archive& archive, Hello& m) {
  archive(m.token, m.worker, m.group, m.rank, m.world_size, m.device, m.threads, m.memory_bytes,
          m.process_id);
}
template <typename Archive>
void Visit(Archive& archive, Welcome& m) {
  archive(m.store_epoch, m.generation, m.heartbeat_ms);
}
template <typename Archive>
void Visit(Archive& archive, Refuse& m) {
  archive(m.slug, m.message);
}
template <typename Archive>
void Visit(Archive& archive, MemoryUse& m) {
  archive(m.weights_bytes, m.states_bytes, m.statistics_bytes, m.cache_bytes, m.file_bytes_read);
}
template <typename Archive>
void Visit(Archive& archive, Heartbeat& m) {
  archive(m.memory);
}
template <typename Archive>
void Visit(Archive& archive, Progress& m) {
  archive(m.id, m.phase, m.done, m.total);
}
template <typename Archive>
void Visit(Archive& archive, Cancel& m) {
  archive(m.id);
}

}  // namespace emend::worker::protocol
