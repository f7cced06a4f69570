// Checkpoint: opening one file, or an index and its parts, and finding tensors in them.
#include <algorithm>
#include <filesystem>

#include "storage/checkpoint/file_io.h"
#include "storage/checkpoint/header_json.h"
#include "storage/checkpoint/safetensors.h"
#include "storage/checkpoint/tile_file.h"

namespace emend::storage::checkpoint {
namespace {

constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndexFile[] = "model.safetensors.index.json";
constexpr std::size_t kIndexBytesMax = 100'000'000;

// tensor -> file
using WeightMap = std::map<std::string, std::string>;

struct Layout {
  std::vector<std::string> files;
  WeightMap weight_map;  // empty for a single file
};

bool IsFile(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

Status RefuseIndex(const std::string& slug, const std::string& folder, const std::string& what) {
  return {StatusCode::kInvalidArgument, "index_" + slug,
          "opening the checkpoint \"" + folder + "\": " + what};
}

Result<Layout> ReadIndex(const std::string& folder) {
  const std::string path = folder + "/" + kIndexFile;
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  if (file->bytes().size() > kIndexBytesMax) {
    return RefuseIndex("too_long", folder,
                       "the index has " + std::to_string(file->bytes().size()) +
                           " bytes, expected at most 100 MB");
  }
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()),
                              file->bytes().size());
  EMEND_ASSIGN_OR_RETURN(auto pairs, ParseWeightMap(text, path));
  Layout layout;
  for (auto& [tensor, name] : pairs) {
    if (std::find(layout.files.begin(), layout.files.end(), name) == layout.files.end())
      layout.files.push_back(name);
    layout.weight_map.emplace(std::move(tensor), std::move(name));
  }
  for (const std::string& name : layout.files) {
    if (!IsFile(folder + "/" + name))
      return RefuseIndex("missing_file", folder,
                         "the index names the file \"" + name + "\", which is not there");
  }
  return layout;
}

Result<Layout> FindLayout(const std::string& folder) {
  if (IsFile(folder + "/" + kSingleFile)) return Layout{{kSingleFile}, {}};
  if (IsFile(folder + "/" + kIndexFile)) return ReadIndex(folder);
  return NotFound("opening the checkpoint \"" + folder + "\": found neither " + kSingleFile +
                  " nor " + kIndexFile +
                  "; give the folder of a Hugging Face model in safetensors form");
}

Status CheckListed(const TensorView& view, const WeightMap& weight_map, const std::string& folder) {
  const auto listed = weight_map.find(view.name);
  if (listed == weight_map.end()) {
    return RefuseIndex("unlisted_tensor", folder,
                       "\"" + view.file + "\" holds the tensor \"" + view.name +
                           "\", which the index does not list");
  }
  if (listed->second != view.file) {
    return RefuseIndex("wrong_file", folder,
                       "\"" + view.file + "\" holds the tensor \"" + view.name +
                           "\", which the index places in \"" + listed->second + "\"");
  }
  return OkStatus();
}

}  // namespace

class Checkpoint::Mapping {
 public:
  explicit Mapping(std::unique_ptr<MappedFile> mapped) : file(std::move(mapped)) {}
  std::unique_ptr<MappedFile> file;
};

Checkpoint::~Checkpoint() = default;

Result<std::unique_ptr<Checkpoint>> Checkpoint::Open(const std::string& folder) {
  EMEND_ASSIGN_OR_RETURN(const Layout layout, FindLayout(folder));
  std::unique_ptr<Checkpoint> checkpoint(new Checkpoint());
  checkpoint->folder_ = folder;
  checkpoint->files_ = layout.files;
  if (!layout.weight_map.empty()) checkpoint->index_file_ = kIndexFile;
  for (const std::string& name : layout.files) {
    EMEND_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file, MappedFile::Open(folder + "/" + name));
    EMEND_ASSIGN_OR_RETURN(std::vector<TensorView> views, ParseSafetensors(file->bytes(), name));
    checkpoint->mappings_.push_back(std::make_unique<Mapping>(std::move(file)));
    for (TensorView& view : views) {
      if (!layout.weight_map.empty())
        EMEND_RETURN_IF_ERROR(CheckListed(view, layout.weight_map, folder));
      const std::string tensor = view.name;
      checkpoint->tensors_.emplace(tensor, std::move(view));
    }
  }
  for (const auto& [tensor, name] : layout.weight_map) {
    if (checkpoint->tensors_.count(tensor) > 0) continue;
    return RefuseIndex("missing_tensor", folder,
                       "the index places the tensor \"" + tensor + "\" in \"" + name +
                           "\", which does not hold it");
  }
  return checkpoint;
}

Result<TensorView> Checkpoint::Find(std::string_view name) const {
  const auto found = tensors_.find(std::string(name));
  if (found != tensors_.end()) return found->second;
  return NotFound("looking for the tensor \"" + std::string(name) + "\" in the checkpoint \"" +
                  folder_ + "\": it is none of its " + std::to_string(tensors_.size()) +
                  " tensors");
}

Status Checkpoint::CheckWith(std::unique_ptr<const TileFile> tiles) {
  const auto same_names = [](const auto& view, const auto& root) {
    return view.first == root.first;
  };
  if (!std::ranges::equal(tensors_, tiles->roots(), same_names)) {
    return {StatusCode::kDataLoss, "base_damaged",
            "checking the checkpoint \"" + folder_ +
                "\": its tensors are not those that were imported; import the same model again to "
                "mend the copy"};
  }
  tiles_ = std::move(tiles);
  return OkStatus();
}

}  // namespace emend::storage::checkpoint
