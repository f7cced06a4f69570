#include "coordinator/core/loadable_model.h"

#include <filesystem>

#include "storage/base/log.h"
#include "worker/families/families.h"
#include "worker/tokenizer/tokenizer.h"

namespace emend::coordinator::core {
namespace {

using storage::checkpoint::Checkpoint;
using worker::tokenizer::TokenId;
using worker::tokenizer::Tokenizer;

constexpr std::size_t kNamedMax = 4;  // tokens in a warning

Status CheckHasConfig(const std::string& folder) {
  std::error_code error;
  if (std::filesystem::is_regular_file(folder + "/config.json", error)) return OkStatus();
  return NotFound("reading the model in \"" + folder +
                  "\": it has no config.json; expected a folder in Hugging Face layout");
}

// What a tokenizer knows beyond the embedding.
void WarnOfTokens(const Tokenizer& tokenizer, std::int64_t row_count,
                  std::vector<std::string>& warnings) {
  const std::vector<TokenId> ids = tokenizer.IdsFrom(row_count);
  if (ids.empty()) return;
  std::string named;
  for (std::size_t i = 0; i < ids.size() && i < kNamedMax; ++i) {
    named += (i == 0 ? "" : ", ") + std::to_string(ids[i]) + " " +
             JsonQuote(tokenizer.TokenText(ids[i]));
  }
  if (ids.size() > kNamedMax)
    named += " and " + std::to_string(ids.size() - kNamedMax) + " more, up to " +
             std::to_string(ids.back());
  warnings.push_back(std::to_string(ids.size()) +
                     " of the tokenizer's ids have no row in the embedding of " +
                     std::to_string(row_count) + " rows: " + named +
                     "; a text that needs one is refused (unknown_token)");
}

}  // namespace

Result<LoadableModel> OpenLoadableModel(const std::string& folder) {
  EMEND_RETURN_IF_ERROR(CheckHasConfig(folder));
  EMEND_RETURN_IF_ERROR(Tokenizer::FileIn(folder).status());
  LoadableModel model;
  EMEND_ASSIGN_OR_RETURN(model.checkpoint, Checkpoint::Open(folder));
  EMEND_ASSIGN_OR_RETURN(model.plan, worker::families::PlanModel(*model.checkpoint));
  EMEND_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::OpenFolder(folder));
  WarnOfTokens(*tokenizer, model.plan.config.vocabulary, model.warnings);
  return model;
}

}  // namespace emend::coordinator::core
