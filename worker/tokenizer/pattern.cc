#include "worker/tokenizer/pattern.h"

#include <utility>

namespace emend::worker::tokenizer {

std::vector<Match> CutAtLiteral(std::string_view text, std::string_view literal) {
  std::vector<Match> cuts;
  std::size_t done = 0;
  for (std::size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, done)) {
    if (at > done) cuts.push_back({done, at, false});
    done = at + literal.size();
    cuts.push_back({at, done, true});
  }
  if (done < text.size()) cuts.push_back({done, text.size(), false});
  return cuts;
}

Result<Pattern> Pattern::FromJson(const Node& node) {
  Pattern pattern;
  if (!node["Regex"].IsNull()) {
    EMEND_ASSIGN_OR_RETURN(const std::string source, node["Regex"].Text());
    Result<Regex> regex = Regex::Compile(source);
    if (!regex.ok()) return regex.status().WithContext(node.path());
    pattern.regex_ = std::move(regex).value();
    return pattern;
  }
  EMEND_ASSIGN_OR_RETURN(pattern.literal_, node.IsText() ? node.Text() : node["String"].Text());
  if (pattern.literal_.empty())
    return BadTokenizer(node.path() + ": the text to look for is empty");
  return pattern;
}

Result<std::vector<Match>> Pattern::Cut(std::string_view text) const {
  if (regex_.has_value()) return regex_->Cut(text);
  return CutAtLiteral(text, literal_);
}

}  // namespace emend::worker::tokenizer
