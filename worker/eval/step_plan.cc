#include "worker/eval/step_plan.h"

#include "storage/base/encoding.h"

namespace emend::worker::eval {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kRunBytes = 3 * sizeof(std::int64_t) + 1;

void EncodeStates(Encoder& out, const std::vector<StateId>& states) {
  out.Count(states.size());
  for (const StateId& state : states) out.Id(state);
}

std::vector<StateId> DecodeStates(Decoder& in) {
  std::vector<StateId> states(in.Count(Digest::kSize));
  for (StateId& state : states) state = in.ReadId<StateId>();
  return states;
}

void EncodePass(Encoder& out, const StatePass& pass) {
  out.Id(pass.state);
  out.Count(pass.runs.size());
  for (const PlannedRun& run : pass.runs) {
    out.I64(run.place.slot);
    out.I64(run.place.begin);
    out.I64(run.place.tokens);
    out.Bool(run.draws);
  }
  out.Count(pass.tokens.size());
  for (const tokenizer::TokenId token : pass.tokens) out.U32(static_cast<std::uint32_t>(token));
}

StatePass DecodePass(Decoder& in) {
  StatePass pass;
  pass.state = in.ReadId<StateId>();
  pass.runs.resize(in.Count(kRunBytes));
  for (PlannedRun& run : pass.runs) {
    run.place.slot = in.I64();
    run.place.begin = in.I64();
    run.place.tokens = in.I64();
    run.draws = in.Bool();
  }
  pass.tokens.resize(in.Count(sizeof(std::uint32_t)));
  for (tokenizer::TokenId& token : pass.tokens) token = static_cast<tokenizer::TokenId>(in.U32());
  return pass;
}

}  // namespace

std::string EncodePlan(const StepPlan& plan) {
  Encoder out;
  out.U16(kVersion);
  EncodeStates(out, plan.closed);
  EncodeStates(out, plan.opened);
  out.Count(plan.caches.size());
  for (const CacheChange& change : plan.caches) {
    out.Id(change.state);
    out.I64(change.size.slots);
    out.I64(change.size.capacity);
  }
  out.Count(plan.passes.size());
  for (const StatePass& pass : plan.passes) EncodePass(out, pass);
  return std::move(out).bytes();
}

Result<StepPlan> DecodePlan(std::string_view bytes) {
  Decoder in(bytes);
  if (const std::uint16_t version = in.U16(); version != kVersion)
    in.Fail("a step of version " + std::to_string(version));
  StepPlan plan;
  plan.closed = DecodeStates(in);
  plan.opened = DecodeStates(in);
  plan.caches.resize(in.Count(Digest::kSize + 2 * sizeof(std::int64_t)));
  for (CacheChange& change : plan.caches) {
    change.state = in.ReadId<StateId>();
    change.size.slots = in.I64();
    change.size.capacity = in.I64();
  }
  plan.passes.resize(in.Count(Digest::kSize));
  for (StatePass& pass : plan.passes) pass = DecodePass(in);
  EMEND_RETURN_IF_ERROR(in.Finish().WithContext("reading a step of completions"));
  return plan;
}

}  // namespace emend::worker::eval
