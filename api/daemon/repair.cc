#include "api/daemon/repair.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <utility>

#include "api/daemon/launch.h"
#include "coordinator/store/tokens.h"
#include "storage/kv/kv_store.h"

namespace emend::api::daemon {
namespace {

using coordinator::store::AdminTokenWorks;
using coordinator::store::RenewAdminToken;
using storage::records::RepairReport;
using storage::records::TokenRecord;

std::string LostText(const RepairReport& report) {
  if (report.lost_first == 0) return "nothing that was acknowledged is lost";
  const std::string last =
      report.lost_last == 0 ? "an unknown end" : std::to_string(report.lost_last);
  return "lost: audit entries " + std::to_string(report.lost_first) + " to " + last;
}

// Empty: the first token is as it was.
using Renewed = std::optional<TokenRecord>;

void PrintToken(const TokenRecord& token, const std::string& store, std::ostream& out) {
  out << "a new first token, " << token.id << ", is in " << store
      << "/token; those before it are revoked\n";
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

void PrintJson(const RepairReport& report, const Renewed& renewed, std::ostream& out) {
  nlohmann::ordered_json json = {{"repaired", report.outcome == RepairReport::Outcome::kRepaired},
                                 {"head", report.head},
                                 {"lost_first", report.lost_first},
                                 {"lost_last", report.lost_last},
                                 {"kept_store", report.kept_store},
                                 {"kept_anchor", report.kept_anchor},
                                 {"found", report.found},
                                 {"new_token", nullptr}};
  if (renewed) json["new_token"] = renewed->id;
  out << json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
}

enum class Renewal { kIfLost, kAlways };

Result<Renewed> Renew(const std::string& store, Renewal renewal) {
  PosixFileSystem files;
  SystemRandom random;
  const SystemClock clock;
  const coordinator::core::StoreLayout layout{store, {}};
  EMEND_ASSIGN_OR_RETURN(const auto kv, storage::kv::OpenRocksKv({.path = store + "/db"}));
  EMEND_ASSIGN_OR_RETURN(const bool works, AdminTokenWorks(*kv, files, layout));
  if (works && renewal == Renewal::kIfLost) return Renewed();
  EMEND_ASSIGN_OR_RETURN(const auto journal,
                         storage::records::Journal::Open(*kv, files, clock, layout.anchor()));
  EMEND_ASSIGN_OR_RETURN(TokenRecord token, RenewAdminToken(*journal, files, random, layout));
  return Renewed(std::move(token));
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
  EMEND_ASSIGN_OR_RETURN(const Renewed renewed, Renew(store, Renewal::kIfLost));
  if (output == RepairOutput::kJson) {
    PrintJson(report, renewed, out);
    return OkStatus();
  }
  PrintText(report, out);
  if (renewed) PrintToken(*renewed, store, out);
  return OkStatus();
}

Status RenewToken(const std::string& store, RepairOutput output, std::ostream& out) {
  PosixFileSystem files;
  if (!files.Exists(store + "/db/CURRENT"))
    return NotFound("making a token for the store " + store + ": there is no database in it");
  EMEND_ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Take(store));
  EMEND_ASSIGN_OR_RETURN(const Renewed renewed, Renew(store, Renewal::kAlways));
  if (output == RepairOutput::kJson) {
    const nlohmann::ordered_json json = {{"id", renewed->id},
                                         {"principal", renewed->principal},
                                         {"scopes", renewed->scopes},
                                         {"file", store + "/token"}};
    out << json.dump() << "\n";
  } else {
    PrintToken(*renewed, store, out);
  }
  return OkStatus();
}

}  // namespace emend::api::daemon
