#include "tests/worker/server/atlas_requests.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "storage/checkpoint/file_digests.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/checkpoint/tile_file.h"
#include "storage/delta/payload.h"
#include "storage/delta/rebuild.h"
#include "tests/support/plain_neighbours.h"

namespace emend::worker::server {
namespace {

constexpr std::size_t kFacts = 4;
constexpr std::size_t kCorpusLines = 200;

Digest Numbered(std::uint8_t kind, std::uint8_t number) {
  Digest digest;
  digest.bytes[0] = kind;
  digest.bytes[1] = number;
  return digest;
}

template <typename T>
T ValueOf(Result<T> result) {
  EMEND_CHECK(result.ok(), result.status().ToString());
  return std::move(result).value();
}

}  // namespace

BaseId AtlasBase() { return BaseId(Numbered(1, 0)); }
StateId BaseState() { return StateId(Numbered(2, 0)); }
StateId EditedState() { return StateId(Numbered(2, 1)); }
EditId NumberedEdit(std::uint8_t number) { return EditId(Numbered(3, number)); }

protocol::LoadBase LoadRequest() { return {AtlasBase(), kAtlasModel, {}}; }

protocol::LoadBase CheckedLoadRequest(const std::string& folder) {
  std::filesystem::copy(kAtlasModel, folder + "/model", std::filesystem::copy_options::recursive);
  protocol::LoadBase request{AtlasBase(), folder + "/model", {}, folder + "/tiles"};
  for (const auto& file : std::filesystem::directory_iterator(request.folder)) {
    request.files[file.path().filename().string()] =
        ValueOf(storage::checkpoint::HashFile(file.path().string()));
  }
  storage::checkpoint::TileLeaves leaves;
  const auto checkpoint = ValueOf(storage::checkpoint::Checkpoint::Open(request.folder));
  for (const auto& [name, view] : checkpoint->tensors()) {
    const storage::delta::TensorShape shape = storage::delta::Flatten(view.dtype, view.shape);
    leaves[name] =
        ValueOf(storage::delta::HashTiles(shape, {0, shape.rows, 0, shape.cols}, view.bytes));
    request.roots[name] = ValueOf(storage::delta::TensorRoot(shape, leaves[name]));
  }
  const Status written = storage::checkpoint::WriteTileFile(request.tile_file, leaves);
  EMEND_CHECK(written.ok(), written.ToString());
  return request;
}

void FlipBit(const std::string& folder, const std::string& tensor, std::uint64_t row,
             std::uint64_t col) {
  const auto view =
      ValueOf(ValueOf(storage::checkpoint::Checkpoint::Open(folder + "/model"))->Find(tensor));
  const std::uint64_t element =
      (row * view.shape.back() + col) * storage::delta::ElementBytes(view.dtype);
  std::fstream file(folder + "/model/" + view.file,
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(view.file_offset + element));
  const char byte = static_cast<char>(file.peek() ^ 1);
  file.seekp(static_cast<std::streamoff>(view.file_offset + element));
  file.put(byte);
}

protocol::ComputeStatistics StatisticsRequest(const std::string& file) {
  protocol::ComputeStatistics request{
      .base = AtlasBase(), .layers = {0, 1, 2}, .lines = {}, .tokens_max = 0, .file = file};
  std::ifstream corpus("docs/examples/atlas/corpus.txt");
  for (std::string line; request.lines.size() < kCorpusLines && std::getline(corpus, line);)
    request.lines.push_back(line);
  return request;
}

std::vector<protocol::EvaluateFact> SolvedFacts() {
  std::ifstream file("docs/examples/atlas/facts.json");
  const nlohmann::json records = nlohmann::json::parse(file);
  std::vector<protocol::EvaluateFact> facts;
  for (std::size_t i = 0; i < kFacts; ++i) {
    const nlohmann::json& rewrite = records[i]["requested_rewrite"];
    facts.push_back({rewrite["prompt"], rewrite["subject"], rewrite["target_new"]["str"],
                     rewrite["target_true"]["str"].get<std::string>(),
                     records[i]["paraphrase_prompts"],
                     emend::test::PlainNeighbours(records[i]["neighborhood_prompts"])});
  }
  return facts;
}

protocol::Solve SolveRequest(const std::string& statistics_file) {
  protocol::Solve request;
  request.base = AtlasBase();
  request.state = BaseState();
  request.settings = ValueOf(protocol::DefaultSettings("memit", /*layer_count=*/6));
  request.statistics_file = statistics_file;
  for (const protocol::EvaluateFact& fact : SolvedFacts())
    request.facts.push_back({fact.prompt, fact.subject, fact.target});
  return request;
}

std::string PromptOf(std::size_t index) {
  const protocol::EvaluateFact fact = SolvedFacts().at(index);
  std::string prompt = fact.prompt;
  return prompt.replace(prompt.find("{}"), 2, fact.subject);
}

protocol::Complete TextRequest(const StateId& state, std::size_t index, std::int32_t tokens_max) {
  protocol::Complete text;
  text.base = AtlasBase();
  text.state = state;
  text.prompt = PromptOf(index);
  text.tokens_max = tokens_max;
  text.temperature = 0;
  return text;
}

protocol::PutEdits PutRequest(const protocol::SolveReply& solved) {
  protocol::PutEdits request{.base = AtlasBase(), .edits = {}};
  for (std::size_t i = 0; i < solved.edits.size(); ++i)
    request.edits.emplace_back(NumberedEdit(static_cast<std::uint8_t>(i)),
                               solved.edits[i].delta_payload);
  return request;
}

protocol::EnsureState EnsureRequest(const StateId& state, std::size_t edit_count) {
  protocol::EnsureState request{.base = AtlasBase(), .state = state, .edits = {}};
  for (std::size_t i = 0; i < edit_count; ++i)
    request.edits.push_back(NumberedEdit(static_cast<std::uint8_t>(i)));
  return request;
}

std::map<std::string, Digest> RebuiltRoots(const protocol::SolveReply& solved) {
  const auto checkpoint = ValueOf(storage::checkpoint::Checkpoint::Open(kAtlasModel));
  std::vector<storage::delta::EditDelta> deltas;
  for (const protocol::SolvedEdit& edit : solved.edits)
    deltas.push_back(ValueOf(storage::delta::DecodeEditDelta(edit.delta_payload)));
  std::map<std::string, std::vector<const storage::delta::Column*>> columns;
  for (const auto& delta : deltas) {
    for (const auto& part : delta.tensors) {
      for (const auto& column : part.columns) columns[part.tensor].push_back(&column);
    }
  }
  std::map<std::string, Digest> roots;
  for (const auto& [tensor, active] : columns) {
    const storage::checkpoint::TensorView view = ValueOf(checkpoint->Find(tensor));
    const storage::delta::TensorShape shape = storage::delta::Flatten(view.dtype, view.shape);
    roots[tensor] =
        ValueOf(storage::delta::RebuildTensor(shape, view.bytes, active, /*thread_count=*/2))
            .digest;
  }
  return roots;
}

}  // namespace emend::worker::server
