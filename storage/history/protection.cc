#include "storage/history/protection.h"

#include <algorithm>

namespace emend::storage::history {
namespace {

void Add(const Protection& rule, std::optional<Protection>& all) {
  if (!all) {
    all = rule;
    return;
  }
  all->pattern += ", " + rule.pattern;
  all->approvals = std::max(all->approvals, rule.approvals);
  for (const auto& [name, percent] : rule.required)
    all->required[name] = std::max(all->required[name], percent);
}

}  // namespace

Status CheckPattern(std::string_view pattern) {
  std::string name(pattern);
  std::ranges::replace(name, '*', 'x');
  return CheckRefName(name).WithContext("the pattern \"" + std::string(pattern) + "\"");
}

bool Fits(std::string_view pattern, std::string_view branch) {
  std::size_t in_pattern = 0, in_branch = 0;
  std::size_t star = std::string_view::npos, after_star = 0;
  while (in_branch < branch.size()) {
    if (in_pattern < pattern.size() && pattern[in_pattern] == '*') {
      star = in_pattern++;
      after_star = in_branch;
    } else if (in_pattern < pattern.size() && pattern[in_pattern] == branch[in_branch]) {
      ++in_pattern;
      ++in_branch;
    } else if (star != std::string_view::npos) {  // the star takes one character more
      in_pattern = star + 1;
      in_branch = ++after_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', in_pattern) == std::string_view::npos;
}

records::RecordTable<Protection> Protections(const objects::RepoId& repo) {
  return {kv::ColumnFamily::kMeta, repo.value() + "protection/", "a rule of protection"};
}

Result<std::optional<Protection>> FindProtection(kv::KvStore& store, const objects::RepoId& repo,
                                                 std::string_view branch) {
  EMEND_ASSIGN_OR_RETURN(const std::vector<Protection> rules, Protections(repo).List(store));
  std::optional<Protection> all;
  for (const Protection& rule : rules) {
    if (Fits(rule.pattern, branch)) Add(rule, all);
  }
  return all;
}

bool AsksAll(const Protection& rule, const Protection& other) {
  return rule.approvals >= other.approvals &&
         std::ranges::all_of(other.required, [&](const auto& wanted) {
           const auto found = rule.required.find(wanted.first);
           return found != rule.required.end() && found->second >= wanted.second;
         });
}

Status CheckUnprotected(kv::KvStore& store, const RepoRecord& repo, std::string_view branch) {
  EMEND_ASSIGN_OR_RETURN(const auto rule, FindProtection(store, repo.id, branch));
  if (!rule) return OkStatus();
  const std::string& name = repo.name.value();
  const std::string target(branch);
  const std::string onto = target == kDefaultBranch ? "" : " --onto " + target;
  return {StatusCode::kPermissionDenied, "protected_branch",
          "changing " + name + "@" + target + ": it is protected (" + rule->pattern +
              ") and moves only by a reviewed proposal; change another branch (emend branch " +
              name + " NAME " + target + "), then emend propose " + name + "@NAME" + onto};
}

}  // namespace emend::storage::history
