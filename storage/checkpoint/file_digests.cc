#include "storage/checkpoint/file_digests.h"

#include "storage/checkpoint/file_io.h"

namespace emend::storage::checkpoint {

Result<Digest> HashFile(const std::string& path) {
  EMEND_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  Sha256Hasher hasher;
  hasher.Update(
      std::string_view(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()));
  return hasher.Finish();
}

std::vector<DigestCheck> CompareFiles(const std::string& folder,
                                      const std::map<std::string, Digest>& expected) {
  std::vector<DigestCheck> checks;
  for (const auto& [name, digest] : expected) {
    DigestCheck check{name, {}, {}};
    const Result<Digest> found = HashFile(folder + "/" + name);
    if (found.ok()) check.digest = *found;
    if (!found.ok()) check.fault = found.status().message();
    if (found.ok() && *found != digest)
      check.fault = "found SHA-256 " + found->Hex() + ", expected " + digest.Hex();
    checks.push_back(std::move(check));
  }
  return checks;
}

Status CheckFiles(const std::string& folder, const std::map<std::string, Digest>& expected) {
  for (const DigestCheck& check : CompareFiles(folder, expected)) {
    if (check.fault.empty()) continue;
    return {StatusCode::kDataLoss, "base_damaged",
            "checking \"" + folder + "/" + check.name + "\" against what was imported: " +
                check.fault + "; import the same model again to mend the copy"};
  }
  return OkStatus();
}

}  // namespace emend::storage::checkpoint
