#include "storage/checkpoint/model_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <span>
#include <string_view>

#include "storage/base/digest.h"
#include "storage/base/utf8.h"
#include "storage/checkpoint/file_io.h"
#include "storage/checkpoint/safetensors.h"

namespace emend::storage::checkpoint {
namespace {

namespace fs = std::filesystem;

// A part of a name between dots that says what a file holds. Archives may hold anything.
constexpr std::array<std::string_view, 39> kWeightsParts = {
    "safetensors", "bin",  "pt",        "pth",     "ckpt",   "gguf",   "ggml",      "ggmf",
    "ggjt",        "onnx", "onnx_data", "h5",      "hdf5",   "keras",  "msgpack",   "npz",
    "npy",         "pkl",  "pickle",    "joblib",  "pb",     "tflite", "mlmodel",   "mlpackage",
    "nemo",        "ot",   "pdparams",  "pdmodel", "engine", "plan",   "llamafile", "zip",
    "tar",         "tgz",  "gz",        "zst",     "xz",     "bz2",    "7z"};
// What names of weights begin with, without regard to what they end in.
constexpr std::array<std::string_view, 3> kWeightsBeginnings = {"consolidated", "adapter_model",
                                                                "adapter_config"};
// Files that are no text and belong to a model nevertheless: tokenizers and pictures.
constexpr std::array<std::string_view, 7> kPictures = {"png",  "jpg", "jpeg", "gif",
                                                       "webp", "pdf", "ico"};
constexpr std::array<std::string_view, 2> kSentencePiece = {"model", "spm"};
constexpr std::uint8_t kSentencePieceBegin = 0x0a;  // its first field, the list of pieces
constexpr std::size_t kLookedAtBytes = std::size_t{1} << 16;

constexpr char kOtherWeights[] = "other weights than those that are imported";
constexpr char kBinary[] = "neither text nor a known file of a tokenizer: it may hold weights";
constexpr char kFolder[] = "a folder";
constexpr char kNoFile[] = "neither a file nor a folder";

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : static_cast<char>(c);
  });
  return text;
}

// Whether something between the dots of a name, or after the last, is one of these.
bool HasPart(const std::string& lower_name, std::span<const std::string_view> parts) {
  for (std::size_t dot = lower_name.find('.'); dot != std::string::npos;) {
    const std::size_t next = lower_name.find('.', dot + 1);
    const std::string_view part = std::string_view(lower_name).substr(dot + 1, next - dot - 1);
    if (std::ranges::find(parts, part) != parts.end()) return true;
    dot = next;
  }
  return false;
}

// Text has no NUL and is UTF-8, but for a character that is cut at the end of what is looked at.
bool IsText(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min(bytes.size(), kLookedAtBytes));
  if (text.find('\0') != std::string_view::npos) return false;
  const auto invalid = FirstInvalidUtf8(text);
  constexpr std::size_t kCharacterBytesMax = 4;
  return !invalid || (text.size() < bytes.size() && *invalid + kCharacterBytesMax > text.size());
}

// Why the file is left out; empty: it is not.
Result<std::string> WhyLeftOut(const std::string& folder, const std::string& name) {
  if (IsWeightsName(name)) return std::string(kOtherWeights);
  const std::string lower = Lower(name);
  if (HasPart(lower, kPictures)) return std::string();
  EMEND_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(folder + "/" + name));
  const bool is_tokenizer = HasPart(lower, kSentencePiece) && !file->bytes().empty() &&
                            file->bytes().front() == kSentencePieceBegin;
  return std::string(is_tokenizer || IsText(file->bytes()) ? "" : kBinary);
}

Status Sort(const Checkpoint& checkpoint, const fs::directory_entry& entry, ModelFiles& files) {
  const std::string name = entry.path().filename().string();
  if (std::ranges::find(checkpoint.files(), name) != checkpoint.files().end()) return OkStatus();
  std::error_code error;
  const fs::file_status status = entry.status(error);
  std::string why;
  if (fs::is_directory(status)) {
    files.left_out[name + "/"] = kFolder;
  } else if (fs::is_regular_file(status)) {
    if (name != checkpoint.index_file()) {
      EMEND_ASSIGN_OR_RETURN(why, WhyLeftOut(checkpoint.folder(), name));
    }
    if (why.empty()) files.taken.push_back(name);
    if (!why.empty()) files.left_out[name] = why;
  } else if (IsWeightsName(name)) {
    files.left_out[name] = kOtherWeights;
  } else if (status.type() == fs::file_type::not_found) {
    return {StatusCode::kNotFound, "dangling_link",
            "reading the model's folder \"" + checkpoint.folder() + "\": " + name +
                " is a link whose target is not there"};
  } else {
    files.left_out[name] = kNoFile;
  }
  return OkStatus();
}

}  // namespace

bool IsWeightsName(const std::string& name) {
  const std::string lower = Lower(name);
  const auto begins = [&](std::string_view beginning) { return lower.starts_with(beginning); };
  if (std::ranges::any_of(kWeightsBeginnings, begins)) return true;
  return HasPart(lower, kWeightsParts);
}

Result<ModelFiles> ListModelFiles(const Checkpoint& checkpoint) {
  ModelFiles files;
  std::error_code error;
  for (auto it = fs::directory_iterator(checkpoint.folder(), error);
       !error && it != fs::directory_iterator(); it.increment(error))
    EMEND_RETURN_IF_ERROR(Sort(checkpoint, *it, files));
  if (error)
    return Unavailable("listing the model's folder \"" + checkpoint.folder() +
                       "\": " + error.message());
  std::ranges::sort(files.taken);
  files.taken.insert(files.taken.end(), checkpoint.files().begin(), checkpoint.files().end());
  return files;
}

}  // namespace emend::storage::checkpoint
