// What every FileSystem promises, held to by both.
#include "storage/base/file_system.h"

#include <sys/stat.h>

#include <filesystem>
#include <memory>

#include "tests/support/memory_file_system.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::file_system_test {
namespace {

using ::emend::test::IsOk;
using ::emend::test::IsOkAndHolds;
using ::emend::test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FileSystemTest : public ::testing::TestWithParam<std::string> {
 protected:
  FileSystemTest() {
    if (GetParam() == "posix") files_ = std::make_unique<PosixFileSystem>();
    if (GetParam() == "memory") files_ = std::make_unique<test::MemoryFileSystem>();
  }
  std::string Path(const std::string& name) { return folder_.path() + "/" + name; }

  test::TemporaryFolder folder_;
  std::unique_ptr<FileSystem> files_;
};

TEST_P(FileSystemTest, WhatIsWrittenIsRead) {
  const std::string bytes("a\0b\xff", 4);
  ASSERT_THAT(files_->WriteAtomically(Path("file"), bytes, 0600), IsOk());
  EXPECT_THAT(files_->Read(Path("file")), IsOkAndHolds(bytes));
  EXPECT_THAT(files_->Size(Path("file")), IsOkAndHolds(4U));
  ASSERT_THAT(files_->WriteAtomically(Path("file"), "shorter", 0600), IsOk());
  EXPECT_THAT(files_->Read(Path("file")), IsOkAndHolds(std::string("shorter")));
  EXPECT_THAT(files_->List(folder_.path()), IsOkAndHolds(ElementsAre("file")));
}

TEST_P(FileSystemTest, AppendsGoBehindWhatIsThere) {
  ASSERT_THAT(files_->AppendSynced(Path("file"), "one"), IsOk());
  ASSERT_THAT(files_->AppendSynced(Path("file"), "two"), IsOk());
  EXPECT_THAT(files_->Read(Path("file")), IsOkAndHolds(std::string("onetwo")));
}

TEST_P(FileSystemTest, WhatIsNotThereIsNotFoundAndItsPathNamed) {
  const auto read = files_->Read(Path("nothing"));
  EXPECT_THAT(read, StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(read.status().message(), HasSubstr(Path("nothing")));
  EXPECT_THAT(files_->Size(Path("nothing")), StatusIs(StatusCode::kNotFound));
  EXPECT_FALSE(files_->Exists(Path("nothing")));
  EXPECT_THAT(files_->Remove(Path("nothing")), IsOk());
}

TEST_P(FileSystemTest, RemovedFilesAreGone) {
  ASSERT_THAT(files_->WriteAtomically(Path("file"), "bytes", 0600), IsOk());
  ASSERT_THAT(files_->Remove(Path("file")), IsOk());
  EXPECT_THAT(files_->Read(Path("file")), StatusIs(StatusCode::kNotFound));
}

TEST_P(FileSystemTest, ListGivesTheNamesInAFolderSorted) {
  ASSERT_THAT(files_->CreateFolders(Path("a/b")), IsOk());
  for (const char* name : {"a/two", "a/one", "a/b/inner"})
    ASSERT_THAT(files_->WriteAtomically(Path(name), "x", 0600), IsOk());
  const auto listed = files_->List(Path("a"));
  ASSERT_THAT(listed, IsOk());
  EXPECT_THAT(*listed, ::testing::IsSupersetOf({"one", "two"}));
  EXPECT_TRUE(std::is_sorted(listed->begin(), listed->end()));
}

TEST_P(FileSystemTest, ANameThatIsTakenIsNeverGivenAway) {
  ASSERT_THAT(files_->CreateFolder(Path("folder")), IsOk());
  ASSERT_THAT(files_->WriteAtomically(Path("file"), "mine", 0600), IsOk());
  ASSERT_THAT(files_->WriteAtomically(Path("other"), "x", 0600), IsOk());
  for (const char* name : {"folder", "file"}) {
    EXPECT_THAT(files_->CreateFolder(Path(name)), StatusIs(StatusCode::kAlreadyExists)) << name;
    EXPECT_THAT(files_->CreateFile(Path(name)), StatusIs(StatusCode::kAlreadyExists)) << name;
    EXPECT_THAT(files_->Rename(Path("other"), Path(name)), StatusIs(StatusCode::kAlreadyExists))
        << name;
  }
  EXPECT_THAT(files_->Read(Path("file")), IsOkAndHolds(std::string("mine")));
  EXPECT_THAT(files_->Look(Path("folder")), IsOkAndHolds(EntryKind::kFolder));
  EXPECT_THAT(files_->Look(Path("file")), IsOkAndHolds(EntryKind::kFile));
  EXPECT_THAT(files_->Look(Path("nothing")), IsOkAndHolds(EntryKind::kNone));
}

TEST_P(FileSystemTest, AFolderMovesWithAllThatIsInIt) {
  ASSERT_THAT(files_->CreateFolder(Path("from")), IsOk());
  {
    ASSERT_OK_AND_ASSIGN(const auto file, files_->CreateFile(Path("from/file")));
    const std::string_view text = "two parts";
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    ASSERT_THAT(file->Append(bytes.first(4)), IsOk());
    ASSERT_THAT(file->Append(bytes.subspan(4)), IsOk());
    ASSERT_THAT(file->Sync(), IsOk());
  }
  ASSERT_THAT(files_->Rename(Path("from"), Path("to")), IsOk());
  EXPECT_THAT(files_->SyncFolder(folder_.path()), IsOk());
  EXPECT_THAT(files_->Look(Path("from")), IsOkAndHolds(EntryKind::kNone));
  EXPECT_THAT(files_->Read(Path("to/file")), IsOkAndHolds(std::string("two parts")));
  EXPECT_THAT(files_->Rename(Path("from"), Path("again")), StatusIs(StatusCode::kNotFound));
}

TEST_P(FileSystemTest, OnlyAnEmptyFolderIsRemoved) {
  ASSERT_THAT(files_->CreateFolder(Path("folder")), IsOk());
  ASSERT_THAT(files_->WriteAtomically(Path("folder/file"), "x", 0600), IsOk());
  EXPECT_THAT(files_->RemoveFolder(Path("folder")), StatusIs(StatusCode::kFailedPrecondition));
  ASSERT_THAT(files_->Remove(Path("folder/file")), IsOk());
  EXPECT_THAT(files_->RemoveFolder(Path("folder")), IsOk());
  EXPECT_THAT(files_->RemoveFolder(Path("folder")), IsOk());
  EXPECT_THAT(files_->Look(Path("folder")), IsOkAndHolds(EntryKind::kNone));
}

TEST_P(FileSystemTest, TheDiskHasFreeSpace) {
  const auto free_bytes = files_->FreeBytes(folder_.path());
  ASSERT_THAT(free_bytes, IsOk());
  EXPECT_GT(*free_bytes, 0U);
}

INSTANTIATE_TEST_SUITE_P(FileSystems, FileSystemTest, ::testing::Values("posix", "memory"),
                         [](const auto& kind) { return kind.param; });

TEST(PosixFileSystemTest, AFileHasTheModeThatWasAskedFor) {
  const test::TemporaryFolder folder;
  PosixFileSystem files;
  const std::string path = folder.path() + "/token";
  ASSERT_THAT(files.WriteAtomically(path, "secret", 0600), IsOk());
  struct stat info{};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST(PosixFileSystemTest, AFailedReplacementLeavesNothingBehind) {
  const test::TemporaryFolder folder;
  PosixFileSystem files;
  ASSERT_THAT(files.CreateFolders(folder.path() + "/target/inner"), IsOk());
  EXPECT_THAT(files.WriteAtomically(folder.path() + "/target", "bytes", 0600),
              StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(files.WriteAtomically(folder.path() + "/missing/file", "bytes", 0600),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(files.List(folder.path()), IsOkAndHolds(ElementsAre("target")));
}

TEST(MemoryFileSystemTest, WritesFailAsOftenAsToldAndChangeNothing) {
  test::MemoryFileSystem files;
  ASSERT_THAT(files.AppendSynced("file", "one"), IsOk());
  files.FailNextWrites(2);
  EXPECT_THAT(files.AppendSynced("file", "two"), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(files.WriteAtomically("file", "two", 0600), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(files.Read("file"), IsOkAndHolds(std::string("one")));
  EXPECT_THAT(files.AppendSynced("file", "two"), IsOk());
}

}  // namespace
}  // namespace emend::file_system_test
