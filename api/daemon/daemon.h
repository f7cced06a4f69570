// Daemon: emendd as an object: store, coordinator, workers and REST, from start to a graceful stop.
//
//   return RunDaemon({.store = "/var/lib/emend", .listen = "127.0.0.1:0"}).ok() ? 0 : 1;
//
// Start: lock, log, database, coordinator, REST, workers; <store>/daemon.json appears once REST
// listens and a worker is connected. Stop, on SIGTERM or SIGINT: the record goes, REST finishes
// what it began, the coordinator keeps what runs for the next start, workers end. A second signal
// ends the process at once.
#pragma once

#include <string>
#include <vector>

#include "storage/base/status.h"
#include "worker/protocol/connection.h"

namespace emend::api::daemon {

struct DaemonOptions {
  std::string store;    // absolute; created with 0700
  bool is_new = false;  // begin a new store over what is left of one
  std::string listen = "127.0.0.1:0";
  int workers = 1;                       // started beside this process; 0: others dial in
  int ranks = 1;                         // processes of each, which hold one model together
  int threads = 0;                       // of each process; 0: cores / processes
  std::vector<std::string> model_roots;  // empty: the whole file system
  // absolute; folder of models and statistics, seen by workers under the same path; empty: the
  // store
  std::string shared;
  std::string log;             // file; "-": standard error; empty: <store>/emendd.log
  std::string worker_program;  // path of emend-worker
  std::string worker_address = "127.0.0.1:0";
  // made by others; empty: the store's own, made at the first start
  std::string worker_token_file;
  // of workers that dial in; with it, no address is refused and `workers` must be 0
  worker::protocol::TlsFiles worker_tls;
};

// Blocks until a signal stops it. ok: stopped gracefully.
Status RunDaemon(const DaemonOptions& options);

}  // namespace emend::api::daemon
