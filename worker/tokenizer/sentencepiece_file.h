// What a tokenizer.model holds: SentencePiece's ModelProto, as far as it says how text becomes
// tokens. How it was trained is passed over. Thread-safety: a value.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/status.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::worker::tokenizer {

inline constexpr std::size_t kPieceBytesMax = 256;

struct SentencePieceFile {
  // The values are the file's.
  enum class ModelType { kUnigram = 1, kBpe = 2 };
  enum class PieceType {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,      // such as <s>: never made from text
    kUserDefined = 4,  // always one token
    kByte = 6
  };

  struct Piece {
    std::string text;
    float score = 0;  // finite
    PieceType type = PieceType::kNormal;
  };

  std::vector<Piece> pieces;  // by id; none is empty, all are UTF-8
  ModelType model_type = ModelType::kUnigram;
  bool byte_fallback = false;
  std::string bos_piece = "<s>";
  std::string eos_piece = "</s>";
  std::string charsmap;                  // empty: characters stay as they are
  bool add_dummy_prefix = true;          // a space before the text
  bool remove_extra_whitespaces = true;  // at both ends, and of several together all but one
  bool escape_whitespaces = true;        // spaces are written as U+2581

  // The id of the control piece with this text.
  std::optional<TokenId> ControlPiece(std::string_view text) const;

  // kInvalidArgument, slug "bad_tokenizer", for what is no such file, kUnsupported for a kind of
  // model or piece that this build does not know, kResourceExhausted for too many
  // pieces or one that is too long.
  static Result<SentencePieceFile> Parse(std::string_view bytes);
};

// As the texts of the vocabulary write a space.
inline constexpr char kEscapedSpace[] = "\xe2\x96\x81";

}  // namespace emend::worker::tokenizer
