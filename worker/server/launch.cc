#include "worker/server/launch.h"

#include <array>
#include <charconv>
#include <sstream>
#include <string_view>

namespace emend::worker::server {
namespace {

using Variable = std::function<const char*(const char*)>;

struct Launcher {
  const char* name;
  const char* rank;
  const char* world_size;
  const char* group;
  const char* local_rank;  // null: it has none
};
constexpr std::array kLaunchers = {
    Launcher{"emend", "EMEND_RANK", "EMEND_WORLD_SIZE", "EMEND_GROUP", "EMEND_LOCAL_RANK"},
    Launcher{"torchrun", "RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID", "LOCAL_RANK"},
    Launcher{"LeaderWorkerSet", "LWS_WORKER_INDEX", "LWS_GROUP_SIZE", "LWS_LEADER_ADDRESS",
             nullptr},
    Launcher{"Slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_JOB_ID", "SLURM_LOCALID"},
    Launcher{"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE",
             "OMPI_COMM_WORLD_LOCAL_RANK"},
};

std::string TextOf(const Variable& variable, const char* name) {
  const char* const value = variable(name);
  return value == nullptr ? "" : value;
}

// Separated by commas.
std::vector<std::string> ListOf(const Variable& variable, const char* name) {
  std::vector<std::string> list;
  std::istringstream text(TextOf(variable, name));
  for (std::string item; std::getline(text, item, ',');) {
    if (!item.empty()) list.push_back(item);
  }
  return list;
}

Status Bad(const Launcher& launcher, const std::string& what) {
  return {StatusCode::kInvalidArgument, "bad_launch",
          std::string("reading the variables of ") + launcher.name + ": " + what};
}

Result<std::int32_t> NumberOf(const Launcher& launcher, const Variable& variable, const char* name,
                              std::int32_t least) {
  const std::string text = TextOf(variable, name);
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (!text.empty() && error == std::errc() && end == text.data() + text.size() && number >= least)
    return number;
  return Bad(launcher, std::string(name) + (text.empty() ? " is not set" : " is \"" + text + "\"") +
                           ", expected a number of at least " + std::to_string(least));
}

// Names are words: a host name's first label, without what a store or a log would have to quote.
std::string WordOf(std::string_view text, bool first_label) {
  std::string word;
  for (const char c : text.substr(0, first_label ? text.find('.') : std::string_view::npos)) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '_' || c == '.';
    word += plain ? c : '-';
  }
  return word;
}

Status ReadPlace(const Launcher& launcher, const Variable& variable, Launch& launch) {
  launch.launcher = launcher.name;
  EMEND_ASSIGN_OR_RETURN(launch.world_size, NumberOf(launcher, variable, launcher.world_size, 1));
  EMEND_ASSIGN_OR_RETURN(launch.rank, NumberOf(launcher, variable, launcher.rank, 0));
  if (launch.rank >= launch.world_size) {
    return Bad(launcher, std::string(launcher.rank) + " is " + std::to_string(launch.rank) +
                             ", and " + launcher.world_size + " is " +
                             std::to_string(launch.world_size) + ": ranks count from 0");
  }
  launch.local_rank = launch.rank;
  if (launcher.local_rank != nullptr && variable(launcher.local_rank) != nullptr) {
    EMEND_ASSIGN_OR_RETURN(launch.local_rank, NumberOf(launcher, variable, launcher.local_rank, 0));
  }
  const std::string own = TextOf(variable, "EMEND_GROUP");
  const bool is_host = std::string_view(launcher.group) == "LWS_LEADER_ADDRESS";
  launch.group = own.empty() ? WordOf(TextOf(variable, launcher.group), is_host) : own;
  return OkStatus();
}

}  // namespace

Result<Launch> LaunchFrom(const Variable& variable) {
  Launch launch;
  launch.group = TextOf(variable, "EMEND_GROUP");
  for (const Launcher& launcher : kLaunchers) {
    if (variable(launcher.rank) == nullptr && variable(launcher.world_size) == nullptr) continue;
    EMEND_RETURN_IF_ERROR(ReadPlace(launcher, variable, launch));
    break;
  }
  launch.name = TextOf(variable, "EMEND_NAME");
  if (launch.name.empty() && !launch.group.empty())
    launch.name = launch.group + "." + std::to_string(launch.rank);
  launch.coordinator = TextOf(variable, "EMEND_COORDINATOR");
  launch.gateways = ListOf(variable, "EMEND_GATEWAYS");
  launch.host = TextOf(variable, "EMEND_HOST");
  if (variable("EMEND_DEVICE") != nullptr) launch.device = TextOf(variable, "EMEND_DEVICE");
  if (variable("EMEND_COLLECTIVE") != nullptr)
    launch.collective = TextOf(variable, "EMEND_COLLECTIVE");
  launch.tls = {.certificate = TextOf(variable, "EMEND_TLS_CERT"),
                .key = TextOf(variable, "EMEND_TLS_KEY"),
                .authority = TextOf(variable, "EMEND_TLS_CA")};
  return launch;
}

}  // namespace emend::worker::server
