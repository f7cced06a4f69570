// Where things lie in a store's folder, and the checks on paths that requests name.
#pragma once

#include <string>
#include <vector>

#include "storage/base/ids.h"
#include "storage/base/status.h"

namespace emend::coordinator::core {

struct StoreLayout {
  std::string folder;
  std::vector<std::string> model_roots;
  // folder of models, their tiles and statistics, which workers see under this path; empty: the
  // store's
  std::string shared = {};
  // file with the workers' token, made by others; empty: the store's own
  std::string worker_token = {};

  std::string anchor() const { return folder + "/anchor"; }
  std::string admin_token_file() const { return folder + "/token"; }
  std::string worker_token_file() const {
    return worker_token.empty() ? folder + "/worker-token" : worker_token;
  }
  const std::string& shared_folder() const { return shared.empty() ? folder : shared; }
  std::string models() const { return shared_folder() + "/models"; }
  std::string model_folder(const BaseId& base) const { return models() + "/" + base.Hex(); }
  std::string tile_file(const BaseId& base) const { return model_folder(base) + ".tiles"; }
  std::string statistics() const { return shared_folder() + "/statistics"; }
  std::string statistics_file(std::string_view id) const {
    return statistics() + "/" + std::string(id) + ".safetensors";
  }

  // For the time of an operation's solve: worker/protocol/past_keys.h.
  std::string past_keys_file(std::string_view operation) const {
    return statistics() + "/past-keys-" + std::string(operation);
  }

  // `path`, absolute and without links, if it lies below a model root. kInvalidArgument unless it
  // is absolute; kPermissionDenied ("outside_model_roots") lists the roots; ("inside_store") if it
  // lies in the store itself or in its shared folder. What does not exist yet is judged by its
  // nearest existing parent.
  Result<std::string> Admit(const std::string& path) const;
};

}  // namespace emend::coordinator::core
