// A GGUF file becomes a folder in Hugging Face's layout, which is what is imported.
//
//   EMEND_ASSIGN_OR_RETURN(const auto work, ConvertGguf(files, "/models/atlas.gguf",
//       {.parent = "/tmp", .owner = "inspect", .weights = GgufWeights::kHole}));
//   OpenLoadableModel(work->contents());
//
// Tensors go through memory one after another: in F32 and F16 they stay, all others become BF16.
// The same file gives the same bytes. Part of the same library as loadable_model.h. Blocks.
#pragma once

#include <memory>
#include <string>

#include "storage/base/file_system.h"
#include "storage/base/status.h"
#include "storage/base/work_folder.h"

namespace emend::coordinator::core {

// Whether a path names a GGUF file and no folder: by its end, ".gguf", or by what the file begins
// with, because the blobs of a hub's cache, where its links lead, have no such name.
bool IsGguf(const std::string& path);

// kHole: model.safetensors has its header, and a hole where the weights would be. For who asks for
// names and shapes.
enum class GgufWeights { kWritten, kHole };

struct GgufTarget {
  std::string parent;  // folder, that is there
  std::string owner;   // names this conversion for good (storage/base/work_folder.h)
  GgufWeights weights = GgufWeights::kWritten;
};

// The folder lives as long as what is returned. What no worker can load is refused before any
// weights are written: errors as GgufFile::Open, PlanGguf, ConvertTokenizer and OpenLoadableModel,
// kResourceExhausted (disk).
Result<std::unique_ptr<WorkFolder>> ConvertGguf(FileSystem& files, const std::string& gguf,
                                                const GgufTarget& target);

}  // namespace emend::coordinator::core
