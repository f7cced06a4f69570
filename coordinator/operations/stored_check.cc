#include "coordinator/operations/stored_check.h"

#include <string>
#include <utility>

#include "coordinator/core/state_builder.h"
#include "coordinator/core/stored_base.h"
#include "storage/base/reason.h"
#include "storage/delta/tile_digest.h"

namespace emend::coordinator::operations {

using storage::checkpoint::DigestCheck;

Result<StoredCheck> CheckStored(JobContext& context, const Located& located) {
  EMEND_ASSIGN_OR_RETURN(const core::StoredBase base,
                         core::OpenBase(context.layout, located.repository.record()));
  EMEND_ASSIGN_OR_RETURN(const auto manifest,
                         located.repository.objects().ReadManifest(located.commit.state));
  StoredCheck result{
      {}, storage::checkpoint::CompareFiles(base.checkpoint->folder(), base.recorded.files)};
  auto rebuilt = core::RebuildState(base, located.repository, located.commit.state);
  // Told below, by tensor, where the base is what is damaged.
  if (!rebuilt.ok() && ReasonOf(rebuilt.status()) != Reason::kBaseDamaged) return rebuilt.status();
  for (const auto& [name, tensor] : base.recorded.tensors) {
    EMEND_ASSIGN_OR_RETURN(const auto view, base.checkpoint->Find(name));
    EMEND_ASSIGN_OR_RETURN(
        const Digest stored,
        storage::delta::HashTensor(storage::delta::Flatten(view.dtype, view.shape), view.bytes));
    DigestCheck check{name, stored, {}};
    if (stored != tensor.root)
      check.fault = "the stored base file holds other bytes than were imported: expected " +
                    tensor.root.Hex();
    if (!rebuilt.ok()) {
      result.tensors.push_back(std::move(check));
      continue;
    }
    if (const auto found = rebuilt->find(name); found != rebuilt->end()) {
      check.digest = found->second.digest;
      const auto listed = manifest.roots.find(name);
      if (listed == manifest.roots.end() || listed->second != check.digest)
        check.fault = "the rebuild differs from the manifest";
    } else if (manifest.roots.contains(name)) {
      check.fault = "the manifest lists this tensor, but no active edit touches it";
    }
    result.tensors.push_back(std::move(check));
  }
  return result;
}

}  // namespace emend::coordinator::operations
