#include "coordinator/core/store_layout.h"

#include <algorithm>
#include <filesystem>

namespace emend::coordinator::core {
namespace {

bool LiesBelow(const std::filesystem::path& path, const std::filesystem::path& root) {
  const auto [root_end, ignored] =
      std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return root_end == root.end();
}

}  // namespace

Result<std::string> StoreLayout::Admit(const std::string& path) const {
  if (path.find('\0') != std::string::npos || !std::filesystem::path(path).is_absolute()) {
    return InvalidArgument("the path \"" + path +
                           "\" was named: expected an absolute path on the coordinator's machine");
  }
  std::error_code error;
  std::filesystem::path resolved = std::filesystem::weakly_canonical(path, error);
  if (error) return InvalidArgument("the path \"" + path + "\" was resolved: " + error.message());
  if (!resolved.has_filename()) resolved = resolved.parent_path();  // it ended in a slash
  const auto lies_in = [&](const std::string& own) {
    return LiesBelow(resolved, std::filesystem::weakly_canonical(own, error));
  };
  if (lies_in(folder) || lies_in(shared_folder())) {
    return Status(StatusCode::kPermissionDenied, "inside_store",
                  "the path \"" + resolved.string() +
                      "\" was named: it lies in emendd's own store; choose another");
  }
  std::string roots;
  for (const std::string& root : model_roots) {
    if (LiesBelow(resolved, std::filesystem::weakly_canonical(root, error)))
      return resolved.string();
    roots += (roots.empty() ? "" : ", ") + root;
  }
  return Status(StatusCode::kPermissionDenied, "outside_model_roots",
                "the path \"" + resolved.string() +
                    "\" was named: it lies below none of the model roots (" + roots +
                    "); start emendd with --model-root to allow it");
}

}  // namespace emend::coordinator::core
