// Where an export writes: nothing of anyone else's is touched, whatever happens and whenever, and
// an export that is run again after it was cut short succeeds.
#include <sys/stat.h>

#include <random>
#include <set>

#include "storage/base/log.h"
#include "tests/storage/checkpoint/checkpoint_fixture.h"
#include "tests/support/crash_disk.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace emend::storage::checkpoint::export_places_test {
namespace {

namespace fs = std::filesystem;
using test::CrashDisk;
using test::CrashFileSystem;
using test::Fault;
using test::IsOk;
using test::StatusIs;
using test::Tails;
using test::TemporaryFolder;
using ::testing::HasSubstr;

constexpr char kOwner[] = "op-7-0123456789abcdef";

class ExportPlaces : public FolderTest {
 protected:
  ExportPlaces() {
    SetLogLevel(LogLevel::kOff);  // the failures are the point
    Write("model.safetensors",
          FileOf(R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 4));
    Write("config.json", std::string("{}"));
    Write("tokenizer.json", std::string("{}"));
    checkpoint_ = std::move(Checkpoint::Open(folder_)).value();
    expected_ = Contents(folder_);
    for (std::size_t i = 0; i < 4; ++i)
      expected_["model.safetensors"][expected_["model.safetensors"].size() - 4 + i] = 'x';
    // what others have, under the names that an export could come upon
    for (const std::string folder : {"out.incoming", ".emend-work-op-7-fedcba9876543210"})
      Put(folder + "/years", "of work");
    Put("notes", "mine");
    others_ = Tree();
  }
  ~ExportPlaces() override { SetLogLevel(LogLevel::kInfo); }

  std::string At(const std::string& name) const { return place_.path() + "/" + name; }
  void Put(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(At(name)).parent_path());
    std::ofstream(At(name), std::ios::binary) << text;
  }
  // Everything there is around the export: path -> bytes, of a folder "/".
  std::map<std::string, std::string> Tree() const {
    std::map<std::string, std::string> tree;
    for (const auto& entry : fs::recursive_directory_iterator(place_.path())) {
      const std::string name = fs::relative(entry.path(), place_.path()).string();
      tree[name] = entry.is_directory() ? "/" : Read(entry.path().string());
    }
    return tree;
  }
  // What is not others'.
  std::map<std::string, std::string> Made() const {
    std::map<std::string, std::string> made;
    const auto tree = Tree();
    std::set_difference(tree.begin(), tree.end(), others_.begin(), others_.end(),
                        std::inserter(made, made.end()));
    EXPECT_EQ(tree.size() - made.size(), others_.size()) << "something of others' is gone";
    return made;
  }
  Status Run(FileSystem& files, const std::string& folder) const {
    const std::vector<Replacement> replacements = {{"w", {'x', 'x', 'x', 'x'}}};
    return ExportCheckpoint(files, *checkpoint_, replacements, {folder, kOwner}).status();
  }
  // An export that fails at its nth change, from the first to one that there is not: `check` is
  // called after each, with whether the export failed.
  void FailEverywhere(Fault fault, Tails tails, const std::string& folder, bool is_there) {
    for (int nth = 1;; ++nth) {
      SCOPED_TRACE("change " + std::to_string(nth));
      if (is_there) fs::create_directory(At(folder));
      CrashFileSystem crash;
      CrashDisk disk(crash);
      crash.FailAt(nth, fault);
      const Status status = Run(disk, At(folder));
      const bool was_cut = crash.down();
      if (was_cut) crash.LoseUnsynced(random_, tails);
      const auto made = Made();
      for (const auto& [name, text] : made) {
        EXPECT_TRUE(name.starts_with("out") ||
                    name.starts_with(std::string(".emend-work-") + kOwner))
            << name;
      }
      if (!is_there && fs::exists(At("out"))) {
        EXPECT_EQ(Contents(At(folder)), expected_);
      }
      if (!status.ok() && !was_cut) {
        EXPECT_EQ(made.size(), is_there ? 1U : 0U) << "a failure leaves nothing";
      }
      EXPECT_THAT(Run(files_, At(folder)), IsOk());
      EXPECT_EQ(Contents(At(folder)), expected_);
      for (const auto& [name, text] : Made()) EXPECT_THAT(name, HasSubstr("out"));
      EXPECT_FALSE(fs::exists(At(folder) + "/.emend-work-" + kOwner));
      fs::remove_all(At("out"));
      ASSERT_FALSE(HasFailure());
      if (crash.changes() < nth) return;
    }
  }

  PosixFileSystem files_;
  TemporaryFolder place_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::map<std::string, std::string> expected_;
  std::map<std::string, std::string> others_;
  std::mt19937 random_{20};
};

TEST_F(ExportPlaces, NothingOfOthersIsTouchedAndNothingIsLeft) {
  ASSERT_THAT(Run(files_, At("out")), IsOk());
  EXPECT_EQ(Contents(At("out")), expected_);
  EXPECT_EQ(Made().size(), 1U + expected_.size());
}

TEST_F(ExportPlaces, FoldersAboveANewOneAreMadeWithIt) {
  ASSERT_THAT(Run(files_, At("out/of/many")), IsOk());
  EXPECT_EQ(Contents(At("out/of/many")), expected_);
  EXPECT_EQ(Made().size(), 3U + expected_.size());
}

TEST_F(ExportPlaces, AnEmptyFolderIsFilledAndKeepsItsOwnerAndMode) {
  fs::create_directory(At("out"));
  ASSERT_EQ(chmod(At("out").c_str(), 02770), 0);
  struct stat before{}, after{};
  ASSERT_EQ(stat(At("out").c_str(), &before), 0);
  ASSERT_THAT(Run(files_, At("out")), IsOk());
  ASSERT_EQ(stat(At("out").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(after.st_mode & 07777, 02770U);
  EXPECT_EQ(Contents(At("out")), expected_);
}

TEST_F(ExportPlaces, ANewDiskIsEmpty) {
  fs::create_directories(At("out/lost+found"));
  ASSERT_THAT(Run(files_, At("out")), IsOk());
  EXPECT_EQ(Contents(At("out")), expected_);
}

TEST_F(ExportPlaces, WhatIsInTheWayIsRefusedByName) {
  fs::create_symlink("nowhere", At("dangling"));
  const Status link = Run(files_, At("dangling"));
  EXPECT_THAT(link, StatusIs(StatusCode::kAlreadyExists, "folder_not_empty"));
  EXPECT_THAT(link.message(), HasSubstr("link whose target is not there"));
  EXPECT_THAT(Run(files_, At("dangling/x")),
              StatusIs(StatusCode::kAlreadyExists, "folder_not_empty"));
  EXPECT_THAT(Run(files_, At("notes")), StatusIs(StatusCode::kAlreadyExists, "folder_not_empty"));
  // a part of the very files, of someone who has no such export under way
  Put("part/config.json", "{}");
  EXPECT_THAT(Run(files_, At("part")), StatusIs(StatusCode::kAlreadyExists, "folder_not_empty"));
}

TEST_F(ExportPlaces, AnothersThingWithTheWorkFoldersNameIsLeftAlone) {
  const std::string name = std::string(".emend-work-") + kOwner;
  Put(name + "/thesis", "years");
  fs::create_symlink(At("notes"), At(name + "-2"));
  others_ = Tree();
  ASSERT_THAT(Run(files_, At("out")), IsOk());
  EXPECT_EQ(Made().size(), 1U + expected_.size());
}

TEST_F(ExportPlaces, ANewFolderSurvivesAPowerCutAtEveryChange) {
  for (const Tails tails : {Tails::kDropped, Tails::kTorn})
    FailEverywhere(Fault::kPowerCut, tails, "out", /*is_there=*/false);
}

TEST_F(ExportPlaces, NewFoldersSurviveAPowerCutAtEveryChange) {
  FailEverywhere(Fault::kPowerCut, Tails::kTorn, "out/of/many", /*is_there=*/false);
}

TEST_F(ExportPlaces, AnEmptyFolderSurvivesAPowerCutAtEveryChange) {
  for (const Tails tails : {Tails::kDropped, Tails::kTorn})
    FailEverywhere(Fault::kPowerCut, tails, "out", /*is_there=*/true);
}

TEST_F(ExportPlaces, AFailureAnywhereLeavesNothing) {
  for (const bool is_there : {false, true}) {
    FailEverywhere(Fault::kIoError, Tails::kDropped, "out", is_there);
    FailEverywhere(Fault::kNoSpace, Tails::kDropped, "out", is_there);
  }
}

}  // namespace
}  // namespace emend::storage::checkpoint::export_places_test
