// A file that takes long to make and is made once for all tests of a program: kept in build/tests
// until the program or what it is made of changes.
//
//   const std::string path = KeptFile("statistics", {"docs/examples/atlas/corpus.txt"},
//       [&](const std::string& to) { Save(statistics, to); });
//
// Tests in other processes that want it meanwhile wait for it. Run from the checkout.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/digest.h"

namespace emend::test {

inline std::string KeptFile(const std::string& name, std::vector<std::string> inputs,
                            const std::function<void(const std::string& path)>& make) {
  namespace fs = std::filesystem;
  const fs::path program = fs::read_symlink("/proc/self/exe");
  inputs.push_back(program.string());
  std::string digests;
  for (const std::string& input : inputs) {
    std::ifstream file(input, std::ios::binary);
    EMEND_CHECK(file.good(), "no file " + input);
    digests += Sha256(std::string(std::istreambuf_iterator<char>(file), {})).Hex();
  }
  const fs::path folder =
      program.parent_path() / "kept" / (program.filename().string() + "." + name);
  const fs::path path = folder / Sha256(digests).Hex();
  fs::create_directories(folder);
  const int lock = open((folder.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  EMEND_CHECK(lock >= 0 && flock(lock, LOCK_EX) == 0, "no lock beside " + folder.string());
  if (!fs::exists(path)) {
    for (const auto& outdated : fs::directory_iterator(folder)) fs::remove_all(outdated);
    make(path.string() + ".new");
    fs::rename(path.string() + ".new", path);
  }
  close(lock);
  return path.string();
}

}  // namespace emend::test
