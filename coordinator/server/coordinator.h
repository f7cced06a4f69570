// Coordinator: the composition of storage, membership and jobs into a Service. The one place that
// knows all of them.
#pragma once

#include <memory>
#include <string>

#include "coordinator/server/service.h"
#include "storage/base/file_system.h"

namespace emend::coordinator::server {

// What the coordinator does not own: injected, so that tests and the simulation bring their own.
struct Environment {
  Runtime* runtime = nullptr;
  FileSystem* file_system = nullptr;
  storage::kv::KvStore* store = nullptr;
  worker::protocol::Transport* transport = nullptr;
};

struct CoordinatorOptions {
  // of the store: anchor and tokens lie beside the database in it, models/ and statistics/ unless
  // `shared` is set
  std::string folder;
  std::string worker_address = "127.0.0.1:0";  // where workers dial in
  std::vector<std::string> model_roots;        // imports and exports must lie below one of these
  std::chrono::milliseconds heartbeat{500};
  std::string shared = {};             // as in core::StoreLayout
  std::string worker_token_file = {};  // as in core::StoreLayout
};

class Coordinator : public Service {
 public:
  // Opens journal and tokens, raises the store epoch, listens for workers, takes up operations that
  // were accepted before. Blocks; call before runtime.Run().
  static Result<std::unique_ptr<Coordinator>> Start(const Environment& environment,
                                                    const CoordinatorOptions& options);
  // Stops accepting, cancels what runs (it is taken up again at the next start) and everything that
  // waits for a worker, and joins. False if something on the pool did not end within half a minute:
  // it then still uses this object and the store. Calls are answered until the object dies,
  // kUnavailable where they would change something.
  virtual Awaitable<bool> Stop() = 0;

  virtual std::string worker_address() const = 0;
  virtual const std::string& worker_token_file() const = 0;
  // The first token, of all scopes; its secret lies in <folder>/token, mode 0600.
  virtual const std::string& admin_token_file() const = 0;
};

}  // namespace emend::coordinator::server
