// The requests of one small edit of the demo model, and what must come of it: shared by the tests
// of the handlers and of the process.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/base/digest.h"
#include "worker/protocol/messages.h"

namespace emend::worker::server {

inline constexpr char kAtlasModel[] = "docs/examples/atlas/model";

// Ids of the tests' own: the worker takes them as given.
BaseId AtlasBase();
StateId BaseState();
StateId EditedState();
EditId NumberedEdit(std::uint8_t number);

protocol::LoadBase LoadRequest();
// The same of a copy of the model in `folder`, with what the coordinator has recorded of it:
// "model" and "tiles" lie there.
protocol::LoadBase CheckedLoadRequest(const std::string& folder);
// Flips one bit of a tensor of that copy.
void FlipBit(const std::string& folder, const std::string& tensor, std::uint64_t row,
             std::uint64_t col);
// Over the first 200 lines of the demo's corpus.
protocol::ComputeStatistics StatisticsRequest(const std::string& file);
// The first four facts of the demo, on the base.
protocol::Solve SolveRequest(const std::string& statistics_file);
std::vector<protocol::EvaluateFact> SolvedFacts();
// "Ann was born in" of fact `index`.
std::string PromptOf(std::size_t index);
// What is likeliest behind it.
protocol::Complete TextRequest(const StateId& state, std::size_t index, std::int32_t tokens_max);

// The edits of a solution as the coordinator sends them, and the whole set of a state that holds
// them.
protocol::PutEdits PutRequest(const protocol::SolveReply& solved);
protocol::EnsureState EnsureRequest(const StateId& state, std::size_t edit_count);

// What the independent rebuild says about the state that holds exactly these edits.
std::map<std::string, Digest> RebuiltRoots(const protocol::SolveReply& solved);

}  // namespace emend::worker::server
