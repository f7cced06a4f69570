#include "coordinator/jobs/results.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace emend::coordinator::jobs {
namespace {

using nlohmann::ordered_json;
using storage::checkpoint::DigestCheck;

double Rounded(double value, double digits) { return std::round(value * digits) / digits; }

ordered_json MeasuresJson(const storage::objects::Evaluation& measured) {
  ordered_json json;
  json["n"] = measured.records;
  // What was not measured is NaN, which is written as null.
  json["es"] = measured.es;
  json["ps"] = measured.ps;
  json["ns"] = measured.ns;
  json["score"] = measured.score;
  json["es_argmax"] = measured.es_argmax;
  json["ps_argmax"] = measured.ps_argmax;
  json["ns_argmax"] = measured.ns_argmax;
  return json;
}

ordered_json Located(const CommitId& commit, const StateId& state) {
  return {{"commit", commit.Hex()}, {"state", state.Hex()}};
}

ordered_json ChecksJson(const std::vector<DigestCheck>& checks) {
  ordered_json json = ordered_json::array();
  for (const DigestCheck& check : checks) {
    ordered_json item = {
        {"name", check.name}, {"digest", check.digest.Hex()}, {"ok", check.fault.empty()}};
    if (!check.fault.empty()) item["fault"] = check.fault;
    json.push_back(std::move(item));
  }
  return json;
}

}  // namespace

std::string ToJson(const CommitResult& result) {
  ordered_json json = Located(result.commit, result.state);
  json["branch"] = result.branch;
  json["edits"] = result.edits;
  json["superseded"] = result.superseded;
  json["skipped"] = result.skipped;
  json["duplicates"] = result.duplicates;
  for (const char* name : {"total", "targets", "keys", "solve", "apply", "evaluate", "store"}) {
    const auto found = result.seconds.find(name);
    json["seconds"][name] = found == result.seconds.end() ? 0.0 : Rounded(found->second, 1000);
  }
  json["evaluation"] = ordered_json::object();
  if (result.before) json["evaluation"]["before"] = MeasuresJson(*result.before);
  if (result.after) json["evaluation"]["after"] = MeasuresJson(*result.after);
  json["statistics"] = nullptr;
  if (!result.statistics.empty())
    json["statistics"] = {{"id", result.statistics}, {"tokens", result.statistics_tokens}};
  json["layers"] = ordered_json::array();
  for (const auto& layer : result.layers) {
    json["layers"].push_back({{"layer", layer.layer},
                              {"tensor", layer.tensor},
                              {"update_norm", layer.update_norm},
                              {"weight_norm", layer.weight_norm}});
  }
  json["coalesced"] = result.coalesced;
  return json.dump();
}

std::string ToJson(const ImportResult& result) {
  const ordered_json json = {{"repo", result.repo},
                             {"commit", result.commit.Hex()},
                             {"state", result.state.Hex()},
                             {"base", result.base.Hex()},
                             {"warnings", result.warnings}};
  return json.dump();
}

std::string ToJson(const RevertResult& result) {
  ordered_json json = Located(result.commit, result.state);
  json["branch"] = result.branch;
  json["removed"] = result.removed;
  json["restored"] = result.restored;
  json["blocked"] = ordered_json::array();
  for (const EditId& edit : result.blocked) json["blocked"].push_back(edit.Hex());
  return json.dump();
}

std::string ToJson(const StatisticsResult& result) {
  ordered_json json = {{"id", result.id},
                       {"layers", result.layers},
                       {"tokens", result.tokens},
                       {"tokens_advised", result.tokens_advised},
                       {"seconds", Rounded(result.seconds, 1000)}};
  if (result.sampled_by) json["sampled_by"] = *result.sampled_by;
  return json.dump();
}

std::string ToJson(const EvaluationResult& result) {
  ordered_json json = Located(result.commit, result.state);
  json.update(MeasuresJson(result.measured));
  return json.dump();
}

bool VerifyResult::ok() const {
  const auto is_intact = [](const DigestCheck& check) { return check.fault.empty(); };
  return std::ranges::all_of(tensors, is_intact) && std::ranges::all_of(files, is_intact);
}

std::string ToJson(const VerifyResult& result) {
  ordered_json json = {{"ok", result.ok()}};
  json.update(Located(result.commit, result.state));
  json["tensors"] = ChecksJson(result.tensors);
  json["files"] = ChecksJson(result.files);
  return json.dump();
}

std::string ToJson(const ExportResult& result) {
  ordered_json json = Located(result.commit, result.state);
  json["folder"] = result.folder;
  json["files"] = result.files;
  return json.dump();
}

std::string ToJson(const storage::history::FsckReport& report) {
  ordered_json json = {{"ok", report.problems.empty()}, {"problems", ordered_json::array()}};
  for (const auto& problem : report.problems)
    json["problems"].push_back({{"where", problem.where}, {"what", problem.what}});
  json["commits"] = report.commits;
  json["edits"] = report.edits;
  json["payload_bytes"] = report.payload_bytes;
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string ToJson(const worker::protocol::MemitSettings& settings) {
  nlohmann::json json;  // keys in order
  json["layers"] = nlohmann::json::array();
  for (const LayerIndex layer : settings.layers) json["layers"].push_back(layer.value());
  json["v_lr"] = settings.v_lr;
  json["v_num_grad_steps"] = settings.v_num_grad_steps;
  json["v_weight_decay"] = settings.v_weight_decay;
  json["clamp_norm_factor"] = settings.clamp_norm_factor;
  json["kl_factor"] = settings.kl_factor;
  json["mom2_update_weight"] = settings.mom2_update_weight;
  json["ridge"] = settings.ridge;
  json["loss_stop"] = settings.loss_stop;
  json["seed"] = settings.seed;
  json["context_templates"] = settings.context_templates;
  return json.dump();
}

storage::objects::Evaluation ToEvaluation(const worker::protocol::EvaluateReply& reply) {
  return {reply.records, reply.es,        reply.ps,        reply.ns,
          reply.score,   reply.es_argmax, reply.ps_argmax, reply.ns_argmax};
}

}  // namespace emend::coordinator::jobs
