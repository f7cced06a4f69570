#include "worker/eval/step_plan.h"

#include "storage/base/archive.h"

namespace emend::worker::eval {
namespace {

constexpr std::uint16_t kVersion = 1;

}  // namespace

std::string EncodePlan(const StepPlan& plan) {
  Encoder out;
  out.U16(kVersion);
  WriteFields(out, plan);
  return std::move(out).bytes();
}

Result<StepPlan> DecodePlan(std::string_view bytes) {
  Decoder in(bytes);
  if (const std::uint16_t version = in.U16(); version != kVersion)
    in.Fail("a step of version " + std::to_string(version));
  StepPlan plan;
  ReadFields(in, plan);
  EMEND_RETURN_IF_ERROR(in.Finish().WithContext("reading a step of completions"));
  return plan;
}

}  // namespace emend::worker::eval
