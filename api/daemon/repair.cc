#include "api/daemon/repair.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "api/daemon/launch.h"

namespace emend::api::daemon {
namespace {

using storage::records::RepairReport;

std::string LostText(const RepairReport& report) {
  if (report.lost_first == 0) return "nothing that was acknowledged is lost";
  const std::string last =
      report.lost_last == 0 ? "an unknown end" : std::to_string(report.lost_last);
  return "lost: audit entries " + std::to_string(report.lost_first) + " to " + last;
}

void PrintText(const RepairReport& report, std::ostream& out) {
  if (report.outcome == RepairReport::Outcome::kNothingToDo) {
    out << "the store is whole up to audit entry " << report.head << ": nothing to repair\n";
    return;
  }
  out << "repaired: " << report.found << "\n" << LostText(report) << "\n";
  if (!report.kept_store.empty())
    out << "the damaged database is kept in " << report.kept_store << "\n";
  if (!report.kept_anchor.empty())
    out << "the damaged anchor is kept in " << report.kept_anchor << "\n";
}

void PrintJson(const RepairReport& report, std::ostream& out) {
  const nlohmann::ordered_json json = {
      {"repaired", report.outcome == RepairReport::Outcome::kRepaired},
      {"head", report.head},
      {"lost_first", report.lost_first},
      {"lost_last", report.lost_last},
      {"kept_store", report.kept_store},
      {"kept_anchor", report.kept_anchor},
      {"found", report.found}};
  out << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

}  // namespace

Status RepairStore(const std::string& store, const storage::records::RepairOptions& options,
                   RepairOutput output, std::ostream& out) {
  EMEND_ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Take(store));
  PosixFileSystem files;
  const SystemClock clock;
  EMEND_ASSIGN_OR_RETURN(
      const RepairReport report,
      storage::records::Repair(store + "/db", store + "/anchor", files, clock, options));
  output == RepairOutput::kJson ? PrintJson(report, out) : PrintText(report, out);
  return OkStatus();
}

}  // namespace emend::api::daemon
