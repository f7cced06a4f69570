// Which files of a model's folder belong to a model: its own weights, and what a tokenizer, a
// config or a reader needs. Other copies of the weights do not, in whatever form: an export of
// edited weights beside them would hold the unedited ones, too.
//
//   EMEND_ASSIGN_OR_RETURN(const ModelFiles files, ListModelFiles(*checkpoint));
//   for (const auto& [name, why] : files.left_out) Say(name, why);
//
// Blocks. Pure but for the disk that it reads.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/base/status.h"

namespace emend::storage::checkpoint {

class Checkpoint;

using LeftOut = std::map<std::string, std::string>;  // name, of a folder with a slash -> why

struct ModelFiles {
  std::vector<std::string> taken;  // sorted, the checkpoint's weights last
  LeftOut left_out;
};

// Of an open checkpoint's folder. Nothing is left out in silence. kNotFound ("dangling_link") names
// a link whose target is not there; kUnavailable (I/O).
Result<ModelFiles> ListModelFiles(const Checkpoint& checkpoint);

// Whether a name says that its file holds weights, or is of no use without such a file; the
// safetensors file that a checkpoint is read from is one, too. "pytorch_model.bin.index.json" and
// "MODEL.GGUF.part1" are.
bool IsWeightsName(const std::string& name);

}  // namespace emend::storage::checkpoint
