#include "worker/tokenizer/sentencepiece_file.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "storage/base/log.h"
#include "storage/base/utf8.h"
#include "worker/tokenizer/json_node.h"
#include "worker/tokenizer/protobuf_reader.h"
#include "worker/tokenizer/vocabulary.h"

namespace emend::worker::tokenizer {
namespace {

using File = SentencePieceFile;

// Calls read(field) for each field of a message.
template <typename Read>
Status ForEachField(std::string_view message, const Read& read) {
  ProtobufReader reader(message);
  while (true) {
    EMEND_ASSIGN_OR_RETURN(const std::optional<ProtobufField> field, reader.Next());
    if (!field.has_value()) return OkStatus();
    EMEND_RETURN_IF_ERROR(read(*field));
  }
}

Status ReadText(const ProtobufField& field, std::string* text) {
  EMEND_ASSIGN_OR_RETURN(*text, field.Bytes());
  return OkStatus();
}

Status ReadFlag(const ProtobufField& field, bool* flag) {
  EMEND_ASSIGN_OR_RETURN(*flag, field.Flag());
  return OkStatus();
}

// A SentencePiece of the file.
Status ReadPiece(std::string_view message, File::Piece* piece) {
  constexpr std::uint64_t kUnused = 5;
  constexpr std::uint64_t kByte = 6;
  std::uint64_t type = static_cast<std::uint64_t>(File::PieceType::kNormal);
  EMEND_RETURN_IF_ERROR(ForEachField(message, [&](const ProtobufField& field) -> Status {
    if (field.number == 1) return ReadText(field, &piece->text);
    if (field.number == 2) {
      EMEND_ASSIGN_OR_RETURN(piece->score, field.Float());
    } else if (field.number == 3) {
      EMEND_ASSIGN_OR_RETURN(type, field.Number());
    }
    return OkStatus();
  }));
  if (type == 0 || type > kByte)
    return BadTokenizer("its type is " + std::to_string(type) + ", expected 1 to 6");
  if (type == kUnused)
    return Unsupported("is unused by its type; only files whose pieces are all used are supported");
  piece->type = static_cast<File::PieceType>(type);
  if (piece->text.empty()) return BadTokenizer("its text is empty");
  if (piece->text.size() > kPieceBytesMax)
    return ResourceExhausted("its text has " + std::to_string(piece->text.size()) +
                             " bytes; at most " + std::to_string(kPieceBytesMax) + " are allowed");
  if (FirstInvalidUtf8(piece->text)) return BadTokenizer("its text is not UTF-8");
  if (!std::isfinite(piece->score)) return BadTokenizer("its score is no finite number");
  return OkStatus();
}

Status ReadTrainerSpec(std::string_view message, File* file) {
  return ForEachField(message, [&](const ProtobufField& field) -> Status {
    switch (field.number) {
      case 3: {
        EMEND_ASSIGN_OR_RETURN(const std::uint64_t type, field.Number());
        if (type != 1 && type != 2)
          return Unsupported("trainer_spec.model_type: is " + std::to_string(type) +
                             "; supported here: 1 (unigram), 2 (bpe)");
        file->model_type = static_cast<File::ModelType>(type);
        return OkStatus();
      }
      case 24: {
        EMEND_ASSIGN_OR_RETURN(const bool as_suffix, field.Flag());
        if (as_suffix)
          return Unsupported(
              "trainer_spec.treat_whitespace_as_suffix: is true; only false is supported");
        return OkStatus();
      }
      case 35: return ReadFlag(field, &file->byte_fallback);
      case 46: return ReadText(field, &file->bos_piece);
      case 47: return ReadText(field, &file->eos_piece);
      default: return OkStatus();
    }
  });
}

Status ReadNormalizerSpec(std::string_view message, File* file) {
  return ForEachField(message, [&](const ProtobufField& field) -> Status {
    switch (field.number) {
      case 2: return ReadText(field, &file->charsmap);
      case 3: return ReadFlag(field, &file->add_dummy_prefix);
      case 4: return ReadFlag(field, &file->remove_extra_whitespaces);
      case 5: return ReadFlag(field, &file->escape_whitespaces);
      default: return OkStatus();
    }
  });
}

// What is done to a text that was put together from pieces.
Status RefuseDenormalizer(std::string_view message) {
  return ForEachField(message, [](const ProtobufField& field) -> Status {
    if (field.number != 2) return OkStatus();
    EMEND_ASSIGN_OR_RETURN(const std::string_view charsmap, field.Bytes());
    if (charsmap.empty()) return OkStatus();
    return Unsupported("denormalizer_spec: has a charsmap; only files without one are supported");
  });
}

Status AddPiece(const ProtobufField& field, File* file) {
  if (file->pieces.size() == kVocabularyMax)
    return ResourceExhausted("has more than " + std::to_string(kVocabularyMax) + " pieces");
  EMEND_ASSIGN_OR_RETURN(const std::string_view message, field.Bytes());
  File::Piece piece;
  const Status read = ReadPiece(message, &piece);
  if (!read.ok())
    return read.WithContext("the piece " + std::to_string(file->pieces.size()) + " " +
                            JsonQuote(Shortened(piece.text)));
  file->pieces.push_back(std::move(piece));
  return OkStatus();
}

}  // namespace

std::optional<TokenId> SentencePieceFile::ControlPiece(std::string_view text) const {
  const auto found = std::ranges::find_if(pieces, [&](const Piece& piece) {
    return piece.type == PieceType::kControl && piece.text == text;
  });
  if (found == pieces.end()) return std::nullopt;
  return static_cast<TokenId>(found - pieces.begin());
}

Result<SentencePieceFile> SentencePieceFile::Parse(std::string_view bytes) {
  File file;
  EMEND_RETURN_IF_ERROR(ForEachField(bytes, [&](const ProtobufField& field) -> Status {
    if (field.number == 1) return AddPiece(field, &file);
    if (field.number != 2 && field.number != 3 && field.number != 5) return OkStatus();
    EMEND_ASSIGN_OR_RETURN(const std::string_view message, field.Bytes());
    if (field.number == 2) return ReadTrainerSpec(message, &file);
    return field.number == 3 ? ReadNormalizerSpec(message, &file) : RefuseDenormalizer(message);
  }));
  const auto unknown = std::ranges::count_if(
      file.pieces, [](const Piece& piece) { return piece.type == PieceType::kUnknown; });
  if (unknown != 1) {
    return BadTokenizer("is no SentencePiece model: " + std::to_string(unknown) + " of its " +
                        std::to_string(file.pieces.size()) +
                        " pieces stand for what is unknown, expected one");
  }
  return file;
}

}  // namespace emend::worker::tokenizer
