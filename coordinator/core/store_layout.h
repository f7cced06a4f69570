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

  std::string anchor() const { return folder + "/anchor"; }
  std::string admin_token_file() const { return folder + "/token"; }
  std::string worker_token_file() const { return folder + "/worker-token"; }
  std::string models() const { return folder + "/models"; }
  std::string model_folder(const BaseId& base) const { return models() + "/" + base.Hex(); }
  std::string statistics() const { return folder + "/statistics"; }
  std::string statistics_file(std::string_view id) const { return statistics() + "/" + std::string(id) + ".safetensors"; }

  // `path`, absolute and without links, if it lies below a model root. kInvalidArgument unless it is absolute; kPermissionDenied ("outside_model_roots") lists
  // the roots; ("inside_store") if it lies in the store itself. What does not exist yet is judged by its nearest existing parent.
  Result<std::string> Admit(const std::string& path) const;
};

}  // namespace emend::coordinator::core
