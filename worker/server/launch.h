// Which rank of which group a process is, told by whoever launched it: emend's own variables,
// torchrun, LeaderWorkerSet, Slurm or Open MPI.
//
//   EMEND_ASSIGN_OR_RETURN(const Launch launch, LaunchFrom([](const char* name) {
//       return std::getenv(name); }));
//
// | launcher        | rank                 | ranks                | group               |
// |-----------------|----------------------|----------------------|---------------------|
// | emend           | EMEND_RANK           | EMEND_WORLD_SIZE     | EMEND_GROUP         |
// | torchrun        | RANK                 | WORLD_SIZE           | TORCHELASTIC_RUN_ID |
// | LeaderWorkerSet | LWS_WORKER_INDEX     | LWS_GROUP_SIZE       | LWS_LEADER_ADDRESS* |
// | Slurm           | SLURM_PROCID         | SLURM_NTASKS         | SLURM_JOB_ID        |
// | Open MPI        | OMPI_COMM_WORLD_RANK | OMPI_COMM_WORLD_SIZE | PMIX_NAMESPACE      |
// * its first label
//
// The first launcher of the table that names a rank or a number of ranks is taken, whole;
// EMEND_GROUP, EMEND_NAME, EMEND_COORDINATOR, EMEND_GATEWAYS, EMEND_HOST, EMEND_DEVICE,
// EMEND_COLLECTIVE and EMEND_TLS_{CERT,KEY,CA} count whichever it is. The rank on its machine is
// EMEND_LOCAL_RANK, LOCAL_RANK, SLURM_LOCALID or OMPI_COMM_WORLD_LOCAL_RANK of that launcher, else
// the rank. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/base/status.h"
#include "worker/protocol/connection.h"

namespace emend::worker::server {

struct Launch {
  std::string launcher;  // "torchrun"; empty: none was found, and the process is a group of one
  std::int32_t rank = 0;
  std::int32_t world_size = 1;
  std::int32_t local_rank = 0;  // on its machine
  std::string group;            // empty: not named
  // of the worker: EMEND_NAME, else group and rank; empty without a group
  std::string name;
  std::string coordinator;            // EMEND_COORDINATOR, "10.0.0.5:8322"; may be empty
  std::vector<std::string> gateways;  // EMEND_GATEWAYS, "10.0.0.6:8323,10.0.0.7:8323"; may be empty
  // EMEND_HOST: the address at which other ranks reach this one; may be empty
  std::string host;
  std::string device = "cpu";       // EMEND_DEVICE
  std::string collective = "auto";  // EMEND_COLLECTIVE
  protocol::TlsFiles tls;           // EMEND_TLS_CERT, EMEND_TLS_KEY, EMEND_TLS_CA; may be empty
};

// `variable` gives the value of an environment variable, or null. kInvalidArgument ("bad_launch")
// names the variable that is missing or malformed.
Result<Launch> LaunchFrom(const std::function<const char*(const char*)>& variable);

}  // namespace emend::worker::server
