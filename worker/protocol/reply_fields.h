// Numbers and fields of the reply bodies. Internal to this folder.
#pragma once

#include "worker/protocol/message_archive.h"
#include "worker/protocol/messages.h"
#include "worker/protocol/request_fields.h"  // whose parts replies repeat

namespace emend::worker::protocol {

template <>
inline constexpr std::uint16_t kKind<LoadBaseReply> = 1;
template <>
inline constexpr std::uint16_t kKind<EnsureStateReply> = 2;
template <>
inline constexpr std::uint16_t kKind<PutEditsReply> = 3;
template <>
inline constexpr std::uint16_t kKind<ComputeStatisticsReply> = 4;
template <>
inline constexpr std::uint16_t kKind<SolveReply> = 5;
template <>
inline constexpr std::uint16_t kKind<EvaluateReply> = 6;
template <>
inline constexpr std::uint16_t kKind<GenerateReply> = 7;
template <>
inline constexpr std::uint16_t kKind<DigestStateReply> = 8;
template <>
inline constexpr std::uint16_t kKind<SampleTextsReply> = 9;
template <>
inline constexpr std::uint16_t kKind<OpenLineReply> = 10;
template <>
inline constexpr std::uint16_t kKind<JoinGroupReply> = 11;
template <>
inline constexpr std::uint16_t kKind<FollowReply> = 12;
template <>
inline constexpr std::uint16_t kKind<CompleteReply> = 13;
template <>
inline constexpr std::uint16_t kKind<OptimiseTargetsReply> = 14;
template <>
inline constexpr std::uint16_t kKind<StepTextsReply> = 15;
template <>
inline constexpr std::uint16_t kKind<ProbeRanksReply> = 16;
template <>
inline constexpr std::uint16_t kKind<DigestTilesReply> = 17;
template <>
inline constexpr std::uint16_t kKind<ForgetBaseReply> = 18;
template <>
inline constexpr std::uint16_t kKind<PublishReply> = 19;
template <>
inline constexpr std::uint16_t kKind<ReadPublicationReply> = 20;
template <>
inline constexpr std::uint16_t kKind<AdoptGroupReply> = 21;

template <typename Archive>
void Visit(Archive& archive, LoadBaseReply& m) {
  archive(m.bytes_read, m.seconds, m.family, m.layers, m.intermediate, m.context, m.down_tensors);
}
template <typename Archive>
void Visit(Archive& archive, OpenLineReply& m) {
  archive(m.address);
}
template <typename Archive>
void Visit(Archive&, JoinGroupReply&) {}
template <typename Archive>
void Visit(Archive&, FollowReply&) {}
template <typename Archive>
void Visit(Archive& archive, GroupPlace& m) {
  archive(m.line, m.rank, m.size);
}
template <typename Archive>
void Visit(Archive& archive, AdoptGroupReply& m) {
  archive(m.place);
}
template <typename Archive>
void Visit(Archive& archive, EnsureStateReply& m) {
  archive(m.missing);
}
template <typename Archive>
void Visit(Archive&, PutEditsReply&) {}
template <typename Archive>
void Visit(Archive& archive, ComputeStatisticsReply& m) {
  archive(m.layers, m.tokens, m.seconds);
}
template <typename Archive>
void Visit(Archive& archive, SolvedEdit& m) {
  archive(m.delta_payload, m.keys_payload, m.steps, m.loss);
}
template <typename Archive>
void Visit(Archive& archive, LayerReport& m) {
  archive(m.layer, m.tensor, m.update_norm, m.weight_norm);
}
template <typename Archive>
void Visit(Archive& archive, SolveReply& m) {
  archive(m.edits, m.layers, m.seconds);
}
template <typename Archive>
void Visit(Archive& archive, EvaluateReply& m) {
  archive(m.records, m.es, m.ps, m.ns, m.score, m.es_argmax, m.ps_argmax, m.ns_argmax, m.seconds);
}
template <typename Archive>
void Visit(Archive& archive, TokenProbability& m) {
  archive(m.token, m.probability);
}
template <typename Archive>
void Visit(Archive& archive, GenerateReply& m) {
  archive(m.text, m.tokens, m.top);
}
template <typename Archive>
void Visit(Archive& archive, DigestStateReply& m) {
  archive(m.roots);
}
template <typename Archive>
void Visit(Archive& archive, SampleTextsReply& m) {
  archive(m.texts, m.tokens);
}
template <typename Archive>
void Visit(Archive& archive, CompleteReply& m) {
  archive(m.is_cut, m.prompt_tokens, m.completion_tokens);
}
template <typename Archive>
void Visit(Archive& archive, PieceToken& m) {
  archive(m.token, m.log_probability, m.text_begin, m.top);
}
template <typename Archive>
void Visit(Archive& archive, Piece& m) {
  archive(m.id, m.state, m.text, m.tokens);
}
template <typename Archive>
void Visit(Archive&, StepTextsReply&) {}
template <typename Archive>
void Visit(Archive& archive, ProbedRank& m) {
  archive(m.rank, m.host_name, m.address, m.interface, m.device, m.over_nccl, m.nccl_version,
          m.nccl_missing, m.threads, m.cores);
  archive(m.memory_bytes, m.memory_free, m.shm_bytes, m.shm_free);
}
template <typename Archive>
void Visit(Archive& archive, ProbedLink& m) {
  archive(m.lower, m.upper, m.reached, m.why_not, m.latency_us, m.gigabytes_per_second);
}
template <typename Archive>
void Visit(Archive& archive, ProbeAdvice& m) {
  archive(m.severity, m.code, m.found, m.expected, m.action);
}
template <typename Archive>
void Visit(Archive& archive, ProbeRanksReply& m) {
  archive(m.ranks, m.links, m.advice);
}
template <typename Archive>
void Visit(Archive& archive, DigestTilesReply& m) {
  archive(m.tiles);
}
template <typename Archive>
void Visit(Archive&, ForgetBaseReply&) {}
template <typename Archive>
void Visit(Archive& archive, PublishReply& m) {
  archive(m.has_gateway, m.base, m.missing);
}
template <typename Archive>
void Visit(Archive& archive, ServedRef& m) {
  archive(m.ref, m.sequence);
}
template <typename Archive>
void Visit(Archive& archive, ReadPublicationReply& m) {
  archive(m.publication, m.served, m.silent_ms);
}
template <typename Archive>
void Visit(Archive& archive, OptimiseTargetsReply& m) {
  archive(m.targets, m.seconds);
}

}  // namespace emend::worker::protocol
