// Numbers and fields of the request bodies. Internal to this folder.
#pragma once

#include "worker/protocol/message_archive.h"
#include "worker/protocol/messages.h"

namespace emend::worker::protocol {

template <>
inline constexpr std::uint16_t kKind<LoadBase> = 1;
template <>
inline constexpr std::uint16_t kKind<EnsureState> = 2;
template <>
inline constexpr std::uint16_t kKind<PutEdits> = 3;
template <>
inline constexpr std::uint16_t kKind<ComputeStatistics> = 4;
template <>
inline constexpr std::uint16_t kKind<Solve> = 5;
template <>
inline constexpr std::uint16_t kKind<Evaluate> = 6;
template <>
inline constexpr std::uint16_t kKind<Generate> = 7;
template <>
inline constexpr std::uint16_t kKind<DigestState> = 8;
template <>
inline constexpr std::uint16_t kKind<SampleTexts> = 9;
template <>
inline constexpr std::uint16_t kKind<OpenLine> = 10;
template <>
inline constexpr std::uint16_t kKind<JoinGroup> = 11;
template <>
inline constexpr std::uint16_t kKind<Follow> = 12;
template <>
inline constexpr std::uint16_t kKind<Complete> = 13;
template <>
inline constexpr std::uint16_t kKind<OptimiseTargets> = 14;
template <>
inline constexpr std::uint16_t kKind<StepTexts> = 15;
template <>
inline constexpr std::uint16_t kKind<ProbeRanks> = 16;
template <>
inline constexpr std::uint16_t kKind<DigestTiles> = 17;
template <>
inline constexpr std::uint16_t kKind<ForgetBase> = 18;
template <>
inline constexpr std::uint16_t kKind<Publish> = 19;
template <>
inline constexpr std::uint16_t kKind<ReadPublication> = 20;
template <>
inline constexpr std::uint16_t kKind<AdoptGroup> = 21;

template <typename Archive>
void Visit(Archive& archive, LoadBase& m) {
  archive(m.base, m.folder, m.files, m.tile_file, m.roots);
}
template <typename Archive>
void Visit(Archive& archive, EnsureState& m) {
  archive(m.base, m.state, m.edits);
}
template <typename Archive>
void Visit(Archive& archive, PutEdits& m) {
  archive(m.base, m.edits);
}
template <typename Archive>
void Visit(Archive& archive, ComputeStatistics& m) {
  archive(m.base, m.layers, m.lines, m.tokens_max, m.file);
}
template <typename Archive>
void Visit(Archive& archive, SolveSettings& m) {
  archive(m.method);
  for (const Setting& setting : Settings())
    std::visit([&](auto field) { archive(m.*field); }, setting.field);
  archive(m.context_templates);
}
template <typename Archive>
void Visit(Archive& archive, SolveFact& m) {
  archive(m.prompt, m.subject, m.target);
}
template <typename Archive>
void Visit(Archive& archive, Solve& m) {
  archive(m.base, m.state, m.settings, m.statistics_file, m.facts, m.targets);
}
template <typename Archive>
void Visit(Archive& archive, SolvedTarget& m) {
  archive(m.values, m.steps, m.loss);
}
template <typename Archive>
void Visit(Archive& archive, OptimiseTargets& m) {
  archive(m.base, m.state, m.settings, m.facts);
}
template <typename Archive>
void Visit(Archive& archive, Complete& m) {
  archive(m.base, m.state, m.prompt, m.tokens_max, m.temperature, m.top_p, m.top_k, m.seed, m.stop,
          m.top);
}
template <typename Archive>
void Visit(Archive& archive, EvaluateFact& m) {
  archive(m.prompt, m.subject, m.target, m.old_target, m.paraphrases, m.neighbours);
}
template <typename Archive>
void Visit(Archive& archive, Evaluate& m) {
  archive(m.base, m.state, m.facts);
}
template <typename Archive>
void Visit(Archive& archive, Generate& m) {
  archive(m.base, m.state, m.prompt, m.tokens_max, m.top);
}
template <typename Archive>
void Visit(Archive& archive, DigestState& m) {
  archive(m.base, m.state);
}
template <typename Archive>
void Visit(Archive& archive, SampleTexts& m) {
  archive(m.base, m.prefixes, m.count, m.tokens_max, m.top_k, m.seed);
}
template <typename Archive>
void Visit(Archive&, OpenLine&) {}
template <typename Archive>
void Visit(Archive& archive, JoinGroup& m) {
  archive(m.generation, m.rank, m.addresses, m.secret);
}
template <typename Archive>
void Visit(Archive&, Follow&) {}
template <typename Archive>
void Visit(Archive&, AdoptGroup&) {}
template <typename Archive>
void Visit(Archive& archive, StepTexts& m) {
  archive(m.base);
}
template <typename Archive>
void Visit(Archive&, ProbeRanks&) {}
template <typename Archive>
void Visit(Archive& archive, DigestTiles& m) {
  archive(m.base, m.state, m.tensor);
}
template <typename Archive>
void Visit(Archive& archive, ForgetBase& m) {
  archive(m.base, m.why);
}
template <typename Archive>
void Visit(Archive& archive, PublishedRef& m) {
  archive(m.repo, m.ref, m.created_ms, m.base, m.commit, m.state);
}
template <typename Archive>
void Visit(Archive& archive, PublishedToken& m) {
  archive(m.id, m.secret_hash, m.principal);
}
template <typename Archive>
void Visit(Archive& archive, Publication& m) {
  archive(m.sequence, m.refs, m.tokens);
}
template <typename Archive>
void Visit(Archive& archive, Publish& m) {
  archive(m.publication);
}
template <typename Archive>
void Visit(Archive&, ReadPublication&) {}

}  // namespace emend::worker::protocol
