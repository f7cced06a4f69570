#include "coordinator/core/gguf_vocabulary.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "storage/base/log.h"
#include "storage/base/utf8.h"

namespace emend::coordinator::core {
namespace {

using storage::checkpoint::GgufArray;
using storage::checkpoint::GgufFile;

constexpr std::size_t kPieceBytesMax = 512;  // of what merges are looked for in

Result<std::vector<GgufTokenKind>> ReadKinds(const GgufFile& file, std::size_t count) {
  const std::string key = TokenizerKey("token_type");
  std::vector<GgufTokenKind> kinds(count, GgufTokenKind::kNormal);
  EMEND_ASSIGN_OR_RETURN(const GgufArray* const found, file.Array(key));
  if (found == nullptr) return kinds;
  if (found->numbers.size() != count)
    return file.BadValue(key, "found " + std::to_string(found->numbers.size()) +
                                  " kinds, expected one for each of " + std::to_string(count) +
                                  " tokens");
  for (std::size_t id = 0; id < count; ++id) {
    const double kind = found->numbers[id];
    if (!(kind >= 1 && kind <= 6))
      return file.BadValue(key,
                           "token " + std::to_string(id) + " is of no known kind, expected 1 to 6");
    kinds[id] = static_cast<GgufTokenKind>(kind);
  }
  return kinds;
}

std::string WithPieceSpaces(std::string_view text) {
  std::string piece;
  for (const char c : text) {
    if (c == ' ') {
      piece += kPieceSpace;
    } else {
      piece += c;
    }
  }
  return piece;
}

struct ScoredMerge {
  double score = 0;                           // of what it gives
  std::size_t left_size = 0, right_size = 0;  // characters
  GgufMerge merge;
};

// Whether a text may become this token by merges.
bool IsPiece(GgufTokenKind kind) {
  return kind == GgufTokenKind::kNormal || kind == GgufTokenKind::kGiven ||
         kind == GgufTokenKind::kUnused;
}

// Adds the merges that give a piece.
void AddMerges(const GgufTokens& tokens, std::string_view piece, double score,
               std::vector<ScoredMerge>& merges) {
  const auto find = [&](std::string_view text) -> std::optional<std::size_t> {
    const auto found = tokens.ids.find(text);
    if (found == tokens.ids.end() || !IsPiece(tokens.kinds[found->second])) return std::nullopt;
    return found->second;
  };
  const std::size_t begin = merges.size();
  std::size_t characters = 0;
  for (std::size_t at = 0; at < piece.size(); at += Utf8Length(piece.substr(at)), ++characters) {
    const auto left = at == 0 ? std::nullopt : find(piece.substr(0, at));
    const auto right = left ? find(piece.substr(at)) : std::nullopt;
    if (right) merges.push_back({score, characters, 0, {*left, *right}});
  }
  for (std::size_t i = begin; i < merges.size(); ++i)
    merges[i].right_size = characters - merges[i].left_size;
  std::sort(merges.begin() + static_cast<std::ptrdiff_t>(begin), merges.end(),
            [](const ScoredMerge& x, const ScoredMerge& y) {
              return std::tie(x.merge.left, x.merge.right) < std::tie(y.merge.left, y.merge.right);
            });
}

}  // namespace

Result<GgufTokens> ReadGgufTokens(const GgufFile& file, GgufTexts form) {
  const std::string key = TokenizerKey("tokens");
  EMEND_ASSIGN_OR_RETURN(const GgufArray* const texts, file.Array(key));
  if (texts == nullptr || texts->texts.empty())
    return file.BadValue(key, "expected a list of texts");
  GgufTokens tokens;
  tokens.texts.assign(texts->texts.begin(), texts->texts.end());
  EMEND_ASSIGN_OR_RETURN(tokens.kinds, ReadKinds(file, tokens.texts.size()));
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
    std::string& text = tokens.texts[id];
    const std::string place = "token " + std::to_string(id);
    if (FirstInvalidUtf8(text)) return file.BadValue(key, place + " is not UTF-8");
    if (form == GgufTexts::kPieces && tokens.kinds[id] == GgufTokenKind::kGiven)
      text = WithPieceSpaces(text);
    const auto [first, is_new] = tokens.ids.emplace(text, id);
    if (!is_new)
      return file.BadValue(key, place + " is " + JsonQuote(Shortened(text)) + ", as token " +
                                    std::to_string(first->second) + " is");
  }
  return tokens;
}

Result<std::vector<GgufMerge>> MergesByScore(const GgufFile& file, const GgufTokens& tokens) {
  constexpr double kGivenScore = 0;  // as SentencePiece scores them; files may say another
  const std::string key = TokenizerKey("scores");
  EMEND_ASSIGN_OR_RETURN(const GgufArray* const scores, file.Array(key));
  if (scores == nullptr || scores->numbers.size() != tokens.texts.size())
    return file.BadValue(
        key, "expected one score for each of " + std::to_string(tokens.texts.size()) + " tokens");
  std::vector<ScoredMerge> found;
  for (std::size_t id = 0; id < tokens.texts.size(); ++id) {
    const GgufTokenKind kind = tokens.kinds[id];
    const std::string_view piece = tokens.texts[id];
    if (!IsPiece(kind)) continue;
    if (piece.size() > kPieceBytesMax)
      return file.BadValue(TokenizerKey("tokens"),
                           "token " + std::to_string(id) + " has " + std::to_string(piece.size()) +
                               " bytes, expected at most " + std::to_string(kPieceBytesMax));
    const double score = kind == GgufTokenKind::kGiven ? kGivenScore : scores->numbers[id];
    if (score != score) return file.BadValue(key, "found a score that is no number");
    AddMerges(tokens, piece, score, found);
  }
  std::ranges::stable_sort(found, [](const ScoredMerge& x, const ScoredMerge& y) {
    return std::tie(x.score, x.left_size, x.right_size) >
           std::tie(y.score, y.left_size, y.right_size);
  });
  std::vector<GgufMerge> merges;
  for (const ScoredMerge& each : found) merges.push_back(each.merge);
  return merges;
}

}  // namespace emend::coordinator::core
