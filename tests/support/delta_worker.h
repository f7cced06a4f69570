// What a worker holds and answers, without a language model: bases, edits and live states by
// integers (storage/delta), solved columns drawn from fact and state.
//
//   DeltaWorker model;
//   fake_worker.OnRequest([&](const RequestBody& request) { return model.Answer(request); });
//   // the process died: nothing is loaded, nothing is live
//   model.Forget();
//
// What a text says is a function of the live bytes alone: a checker that rebuilds the state
// from the store can tell a wrong or a mixed one. Sums by storage/delta/ledger.h, not by the
// rebuild that the coordinator uses. Owned by one thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/checkpoint/safetensors.h"
#include "storage/delta/payload.h"
#include "storage/delta/tile_digest.h"
#include "worker/protocol/messages.h"

namespace emend::test {

// A GPT-2 of two layers with random bf16 weights, in `folder` (made): small, yet the tensors that
// edits change, "transformer.h.0.mlp.c_proj.weight" and that of layer 1, [96, 40], are of several
// tiles.
Status WriteSmallModel(const std::string& folder, std::uint64_t seed);

class DeltaWorker {
 public:
  using Roots = std::map<std::string, Digest>;

  Result<worker::protocol::ReplyBody> Answer(const worker::protocol::RequestBody& request);
  void Forget();
  // The last tile of this tensor is wrong in the next `builds` states with edits that become live.
  void Damage(std::string tensor, int builds) {
    damaged_ = std::move(tensor);
    damaged_builds_ = builds;
  }

  // A gateway asks here: the state of the first name is wanted live.
  void ServeGateways() { has_gateway_ = true; }
  const worker::protocol::Publication& published() const { return published_; }
  bool IsLive(const StateId& state) const { return FindLive(state).ok(); }

  // What a text says on a state with these live roots (of the tensors that its edits touch).
  static std::string TextOf(const Roots& roots);

 private:
  using Reply = Result<worker::protocol::ReplyBody>;

  Reply Handle(const worker::protocol::LoadBase& request);
  Reply Handle(const worker::protocol::EnsureState& request);
  Reply Handle(const worker::protocol::PutEdits& request);
  Reply Handle(const worker::protocol::ComputeStatistics& request);
  Reply Handle(const worker::protocol::Solve& request);
  // A fact's target stands for its vector; Solve refuses those of other facts.
  Reply Handle(const worker::protocol::OptimiseTargets& request);
  Reply Handle(const worker::protocol::Evaluate& request);
  // Every answer hangs on the state's first edit, but for those to "nobody's", on none.
  Reply Handle(const worker::protocol::Blame& request);
  Reply Handle(const worker::protocol::Complete& request);
  Reply Handle(const worker::protocol::DigestState& request);
  Reply Handle(const worker::protocol::DigestTiles& request);
  Reply Handle(const worker::protocol::ForgetBase& request);
  Reply Handle(const worker::protocol::SampleTexts& request);
  Reply Handle(const worker::protocol::Publish& request);
  // What it does not know: requests about groups of several ranks too.
  template <typename Other>
  Reply Handle(const Other&) {
    return Status(StatusCode::kUnsupported, "unknown request");
  }

  // kFailedPrecondition as the real worker: "base_not_loaded", "state_not_live".
  struct Live {
    std::vector<EditId> edits;
    Roots roots;
    std::map<std::string, std::vector<storage::delta::TileLeaf>> leaves;
  };
  Result<const Live*> FindLive(const StateId& state) const;
  Result<Live> Build(const std::vector<EditId>& edits);

  // one at a time: loading another displaces it with all that is live
  std::unique_ptr<storage::checkpoint::Checkpoint> base_;
  BaseId base_id_;
  std::map<EditId, storage::delta::EditDelta> edits_;
  worker::protocol::Publication published_;
  bool has_gateway_ = false;
  std::string damaged_;
  int damaged_builds_ = 0;
  // at most so many that displacement is met; the oldest leaves first
  std::vector<std::pair<StateId, Live>> live_;
};

}  // namespace emend::test
