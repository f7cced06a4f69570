// What the tests of storage/checkpoint share: a folder that goes away with the test, and
// safetensors files put together by hand.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "storage/checkpoint/safetensors.h"

namespace emend::storage::checkpoint {

using Bytes = std::vector<std::uint8_t>;

// Header and data as a file, the header's length as given or true.
inline Bytes FileOf(const std::string& header, std::size_t data_bytes, std::uint64_t length) {
  Bytes file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<std::uint8_t>(length >> (8 * i)));
  file.insert(file.end(), header.begin(), header.end());
  for (std::size_t i = 0; i < data_bytes; ++i) file.push_back(static_cast<std::uint8_t>(i));
  return file;
}
inline Bytes FileOf(const std::string& header, std::size_t data_bytes) {
  return FileOf(header, data_bytes, header.size());
}

class FolderTest : public testing::Test {
 protected:
  FolderTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "emend-checkpoint-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~FolderTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Path(name), std::ios::binary) << text;
  }
  void Write(const std::string& name, const Bytes& bytes) const {
    Write(name, std::string(bytes.begin(), bytes.end()));
  }

  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file.good()) << path;
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  // File name -> bytes, of the regular files of a folder.
  static std::map<std::string, std::string> Contents(const std::string& folder) {
    std::map<std::string, std::string> contents;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.is_regular_file())
        contents[entry.path().filename().string()] = Read(entry.path().string());
    }
    return contents;
  }

  std::string folder_;
};

}  // namespace emend::storage::checkpoint
