#include "worker/tokenizer/unigram_model.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "storage/base/log.h"
#include "worker/tokenizer/unicode.h"

namespace emend::worker::tokenizer {
namespace {

constexpr double kUnkPenalty = 10;  // below the lowest score

// The score as the reference reads its digits: it rounds once for the digits and once for the power
// of ten. Sums that are equal but for that decide between two ways to cut a text.
double AsReferenceReads(double score) {
  std::array<char, 32> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), std::abs(score),
                                     std::chars_format::scientific);
  std::uint64_t digits = 0;
  int exponent = 0;
  const char* at = text.data();
  bool behind_point = false;
  for (; at != written.ptr && *at != 'e'; ++at) {
    if (*at == '.') {
      behind_point = true;
      continue;
    }
    digits = digits * 10 + static_cast<std::uint64_t>(*at - '0');
    if (behind_point) --exponent;
  }
  exponent += std::atoi(at + 1);
  const double power = std::pow(10.0, std::abs(exponent));
  const double read = static_cast<double>(digits);
  return std::copysign(exponent < 0 ? read / power : read * power, score);
}

struct ScoredToken {
  std::string text;
  double score = 0;
};

// An element of "vocab": ["text", score].
Result<ScoredToken> ReadScoredToken(const Node& node) {
  const Json& pair = node.json();
  if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_number())
    return node.Expected("a pair of a text and a score");
  return ScoredToken{pair[0].get<std::string>(), AsReferenceReads(pair[1].get<double>())};
}

}  // namespace

UnigramModel::UnigramModel(Vocabulary vocabulary, PrefixTable tokens, UnigramScores scores)
    : Model(std::move(vocabulary)), tokens_(std::move(tokens)), scores_(std::move(scores)) {}

Result<std::unique_ptr<Model>> UnigramModel::FromJson(const Node& node, SymbolKind kind) {
  if (kind == SymbolKind::kByte)
    return Unsupported(node.path() +
                       ": a Unigram behind the pre-tokenizer ByteLevel is not supported");
  EMEND_ASSIGN_OR_RETURN(const std::vector<Node> items, node["vocab"].Items(kVocabularyMax));
  if (items.empty()) return BadTokenizer(node["vocab"].path() + ": has no token");
  Vocabulary vocabulary;
  std::vector<std::pair<std::string, TokenId>> tokens;
  UnigramScores scores;
  for (const Node& item : items) {
    EMEND_ASSIGN_OR_RETURN(const ScoredToken token, ReadScoredToken(item));
    const auto id = static_cast<TokenId>(tokens.size());
    const Status added = vocabulary.Add(token.text, id);
    if (!added.ok()) return added.WithContext(item.path());
    tokens.emplace_back(token.text, id);
    scores.of_id.push_back(token.score);
  }
  scores.unk = *std::ranges::min_element(scores.of_id) - kUnkPenalty;
  StandIns stand_ins;
  EMEND_ASSIGN_OR_RETURN(stand_ins.byte_fallback, node["byte_fallback"].Flag(false));
  if (const Node unk = node["unk_id"]; !unk.IsNull()) {
    EMEND_ASSIGN_OR_RETURN(const std::int64_t id,
                           unk.Integer(static_cast<std::int64_t>(tokens.size())));
    stand_ins.unk = static_cast<TokenId>(id);
  }
  std::unique_ptr<UnigramModel> model(
      new UnigramModel(std::move(vocabulary), PrefixTable(std::move(tokens)), std::move(scores)));
  model->SetStandIns(std::move(stand_ins));
  return std::unique_ptr<Model>(std::move(model));
}

Result<std::unique_ptr<Model>> UnigramModel::FromPieces(const SentencePieceFile& file) {
  using PieceType = SentencePieceFile::PieceType;
  EMEND_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::FromPieces(file));
  // SentencePiece begins with the least positive number, which is above all scores.
  float best = std::numeric_limits<float>::min();
  float worst = std::numeric_limits<float>::max();
  for (const SentencePieceFile::Piece& piece : file.pieces) {
    if (piece.type != PieceType::kNormal) continue;
    best = std::max(best, piece.score);
    worst = std::min(worst, piece.score);
  }
  UnigramScores scores{
      .of_id = {}, .unk = worst - static_cast<float>(kUnkPenalty), .single_precision = true};
  std::vector<std::pair<std::string, TokenId>> tokens;
  for (const SentencePieceFile::Piece& piece : file.pieces) {
    const auto id = static_cast<TokenId>(scores.of_id.size());
    const bool user_defined = piece.type == PieceType::kUserDefined;
    const float of_its_bytes = static_cast<float>(piece.text.size()) * best;
    scores.of_id.push_back(user_defined ? of_its_bytes - 0.1 : piece.score);
    if (user_defined || piece.type == PieceType::kNormal) tokens.emplace_back(piece.text, id);
  }
  std::unique_ptr<UnigramModel> model(
      new UnigramModel(std::move(vocabulary), PrefixTable(std::move(tokens)), std::move(scores)));
  model->SetStandIns(StandInsOf(file));
  return std::unique_ptr<Model>(std::move(model));
}

void UnigramModel::Offer(const Way& from, std::uint32_t begin, TokenId id, double score,
                         Way* to) const {
  double sum = from.score + score;
  if (scores_.single_precision) sum = static_cast<float>(sum);
  if (!to->id.has_value() || sum > to->score) *to = {sum, begin, id};
}

Result<std::vector<UnigramModel::Way>> UnigramModel::BestWays(std::string_view word) const {
  std::vector<Way> ways(word.size() + 1);
  std::size_t steps = 0;
  for (std::size_t at = 0; at < word.size();) {
    const auto begin = static_cast<std::uint32_t>(at);
    const std::size_t character = CodePointAt(word, at).size;
    bool has_token = false;
    steps += tokens_.ForEachPrefix(word.substr(at), [&](std::size_t bytes, TokenId id) {
      Offer(ways[at], begin, id, scores_.of_id[static_cast<std::size_t>(id)], &ways[at + bytes]);
      has_token = has_token || bytes == character;
    });
    if (!has_token) Offer(ways[at], begin, kUnkPlace, scores_.unk, &ways[at + character]);
    if (steps > kLatticeStepsMax) {
      return ResourceExhausted("cutting " + std::to_string(word.size()) +
                               " bytes into tokens took more than " +
                               std::to_string(kLatticeStepsMax) + " steps");
    }
    at += character;
  }
  return ways;
}

Status UnigramModel::Cut(std::string_view word, std::vector<Symbol>* symbols) const {
  EMEND_ASSIGN_OR_RETURN(const std::vector<Way> ways, BestWays(word));
  std::vector<std::size_t> ends;
  for (std::size_t end = word.size(); end > 0; end = ways[end].begin) ends.push_back(end);
  std::size_t unk_begin = 0;  // what has no token is taken together
  std::size_t begin = 0;
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
    const TokenId id = ways[*end].id.value();
    if (!IsUnk(id)) {
      EMEND_RETURN_IF_ERROR(AppendUnk(word.substr(unk_begin, begin - unk_begin), symbols));
      symbols->push_back({id, static_cast<std::uint32_t>(*end - begin)});
      unk_begin = *end;
    }
    begin = *end;
  }
  return AppendUnk(word.substr(unk_begin), symbols);
}

Status UnigramModel::AppendUnk(std::string_view text, std::vector<Symbol>* symbols) const {
  if (text.empty()) return OkStatus();
  const auto bytes = static_cast<std::uint32_t>(text.size());
  if (const auto id = vocabulary().Find(text)) {
    symbols->push_back({*id, bytes});
  } else if (!AppendByteTokens(text, symbols)) {
    if (!stand_ins().unk.has_value()) return NoTokenFor(text);
    symbols->push_back({*stand_ins().unk, bytes});
  }
  return OkStatus();
}

}  // namespace emend::worker::tokenizer
