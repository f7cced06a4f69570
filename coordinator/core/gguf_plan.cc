#include "coordinator/core/gguf_plan.h"

#include <algorithm>
#include <utility>

#include "storage/base/log.h"

namespace emend::coordinator::core {
namespace {

using nlohmann::json;
using storage::checkpoint::GgufFile;
using storage::checkpoint::GgufTensor;

constexpr char kEmbedding[] = "token_embd.weight";
constexpr char kHead[] = "output.weight";

Result<const GgufArchitecture*> FindArchitecture(const GgufFile& file) {
  EMEND_ASSIGN_OR_RETURN(const auto name, file.Text("general.architecture"));
  std::string known;
  for (const GgufArchitecture& architecture : GgufArchitectures()) {
    if (name == architecture.name) return &architecture;
    known += (known.empty() ? "" : ", ") + std::string(architecture.name);
  }
  return CannotConvert(
      file, StatusCode::kUnsupported, "unknown_architecture",
      "found the architecture " + JsonQuote(name.value_or("")) + ", expected one of " + known);
}

Status ReadKeys(const GgufArchitecture& architecture, GgufConfig& maker) {
  for (const GgufKeyName& key : architecture.keys) {
    json value;
    if (key.kind == GgufKeyKind::kInteger) {
      EMEND_ASSIGN_OR_RETURN(const auto found, maker.Integer(key.from));
      if (found) value = *found;
    } else {
      EMEND_ASSIGN_OR_RETURN(const auto found, maker.Number(key.from));
      if (found) value = Shortest(*found);
    }
    if (value.is_null() && key.fallback) value = *key.fallback;
    if (value.is_null()) return maker.file().BadValue(maker.Seen(key.from), "it is not there");
    if (value.is_number_integer() && (value < 1 || value > INT32_MAX))
      return maker.Unsupported(key.from, value.dump(), "a number from 1 to 2147483647");
    maker.config[key.to] = std::move(value);
  }
  return OkStatus();
}

// Heads of keys, and the size of a head. As many blocks as tensors are enough for a block that is
// missing to be told.
Status ReadHeads(const GgufArchitecture& architecture, GgufConfig& maker) {
  EMEND_ASSIGN_OR_RETURN(const auto layers, maker.Integer("block_count"));
  EMEND_ASSIGN_OR_RETURN(const auto width, maker.Integer("embedding_length"));
  EMEND_ASSIGN_OR_RETURN(const auto heads, maker.Integer("attention.head_count"));
  const std::size_t tensors = maker.file().tensors().size();
  if (static_cast<std::uint64_t>(*layers) > tensors) {
    return CannotConvert(maker.file(), StatusCode::kInvalidArgument, "missing_tensor",
                         "its metadata says " + std::to_string(*layers) + " blocks, and it has " +
                             std::to_string(tensors) + " tensors");
  }
  const std::int64_t even = *width / *heads;
  if (!architecture.names_heads) {
    EMEND_RETURN_IF_ERROR(maker.Neutral("attention.head_count_kv", *heads));
    EMEND_RETURN_IF_ERROR(maker.Neutral("attention.value_length", even));
    return maker.Neutral("attention.key_length", even);
  }
  EMEND_ASSIGN_OR_RETURN(const auto found, maker.Integer("attention.head_count_kv"));
  const std::int64_t kv_heads = found.value_or(*heads);
  if (kv_heads < 1 || kv_heads > *heads)
    return maker.Unsupported("attention.head_count_kv", std::to_string(kv_heads),
                             "1 to " + std::to_string(*heads));
  EMEND_ASSIGN_OR_RETURN(const auto key_length, maker.Integer("attention.key_length"));
  maker.config["num_key_value_heads"] = kv_heads;
  maker.config["head_dim"] = key_length.value_or(even);
  return maker.Neutral("attention.value_length", key_length.value_or(even));
}

Status ReadCommon(const GgufArchitecture& architecture, GgufConfig& maker) {
  json& config = maker.config;
  config["model_type"] = architecture.model_type;
  config["architectures"] = json::array({architecture.class_name});
  config["torch_dtype"] = "bfloat16";
  const GgufFile& file = maker.file();
  const GgufTensor* const embedding = file.Find(kEmbedding);
  if (embedding == nullptr) {
    return CannotConvert(file, StatusCode::kInvalidArgument, "missing_tensor",
                         std::string("it has no tensor ") + kEmbedding);
  }
  config["vocab_size"] = embedding->shape.front();
  config["tie_word_embeddings"] = file.Find(kHead) == nullptr;
  for (const auto& [from, to] : {std::pair("bos_token_id", "bos_token_id"),
                                 {"eos_token_id", "eos_token_id"},
                                 {"padding_token_id", "pad_token_id"}}) {
    EMEND_ASSIGN_OR_RETURN(const auto id, file.Integer(std::string("tokenizer.ggml.") + from));
    if (id) config[to] = *id;
  }
  maker.Seen("vocab_size");
  EMEND_RETURN_IF_ERROR(maker.Neutral("attention.causal", 1));
  for (const char* key : {"expert_count", "expert_used_count", "pooling_type"})
    EMEND_RETURN_IF_ERROR(maker.Neutral(key, 0));
  return OkStatus();
}

Result<GgufTensorPlan> PlanTensor(const GgufArchitecture& architecture, const GgufFile& file,
                                  const GgufTensor& tensor, const json& config) {
  constexpr std::string_view kBlock = "blk.";
  const std::string_view whole = tensor.name;
  const std::size_t last = whole.rfind('.');
  const bool is_block = whole.starts_with(kBlock);
  const std::size_t number_end = is_block ? whole.find('.', kBlock.size()) : 0;
  const std::size_t begin = is_block ? number_end + 1 : 0;
  const std::string_view kind = last == std::string_view::npos ? "" : whole.substr(last + 1);
  const std::span<const GgufTensorName> names =
      is_block ? architecture.block_tensors : architecture.tensors;
  const auto known = std::ranges::find_if(names, [&](const GgufTensorName& name) {
    return begin < last && whole.substr(begin, last - begin) == name.from;
  });
  if ((kind != "weight" && kind != "bias") || known == names.end()) {
    return CannotConvert(file, StatusCode::kInvalidArgument, "surplus_tensor",
                         "found the tensor " + JsonQuote(whole) + ", which the architecture " +
                             std::string(architecture.name) + " does not have");
  }
  GgufTensorPlan plan{.name = {}, .source = &tensor, .fix = known->fix};
  if (is_block) {
    plan.name = std::string(architecture.blocks) +
                std::string(whole.substr(kBlock.size(), number_end + 1 - kBlock.size()));
  }
  plan.name += std::string(known->to) + "." + std::string(kind);
  if (plan.fix == GgufFix::kQueryRows) plan.heads = config.at("num_attention_heads");
  if (plan.fix == GgufFix::kKeyRows) plan.heads = config.at("num_key_value_heads");
  const bool is_of_weights = plan.fix == GgufFix::kTransposed || plan.fix == GgufFix::kPlusOne;
  if (kind == "bias" && is_of_weights) plan.fix = GgufFix::kNone;
  const bool fits = plan.heads > 0
                        ? tensor.shape.front() % (2 * plan.heads) == 0 &&
                              (tensor.shape.size() == 2 || tensor.type->block_elements == 1)
                        : plan.fix != GgufFix::kTransposed || tensor.shape.size() == 2;
  if (fits) return plan;
  return CannotConvert(file, StatusCode::kInvalidArgument, "misshapen_tensor",
                       "the tensor " + JsonQuote(whole) +
                           " is not one of rows that the heads share, or of two dimensions");
}

}  // namespace

Result<GgufPlan> PlanGguf(const GgufFile& file) {
  EMEND_ASSIGN_OR_RETURN(const GgufArchitecture* const architecture, FindArchitecture(file));
  GgufConfig maker(file, architecture->name);
  EMEND_RETURN_IF_ERROR(ReadKeys(*architecture, maker));
  EMEND_RETURN_IF_ERROR(ReadHeads(*architecture, maker));
  EMEND_RETURN_IF_ERROR(ReadCommon(*architecture, maker));
  EMEND_RETURN_IF_ERROR(architecture->finish(maker));
  EMEND_RETURN_IF_ERROR(maker.RefuseUnread());
  GgufPlan plan;
  plan.config = maker.config.dump(1) + "\n";
  for (const GgufTensor& tensor : file.tensors()) {
    if (tensor.name == kRotationFactors && maker.config.contains("rope_theta")) continue;
    EMEND_ASSIGN_OR_RETURN(plan.tensors.emplace_back(),
                           PlanTensor(*architecture, file, tensor, maker.config));
  }
  return plan;
}

}  // namespace emend::coordinator::core
