// WorkFolder: where something is written before it gets its name, so that nothing of anyone else's
// is ever removed or replaced, and what was cut short is found again.
//
//   EMEND_ASSIGN_OR_RETURN(auto work, WorkFolder::Create(files, parent, owner));
//   ... write into work->contents() ...
//   EMEND_RETURN_IF_ERROR(work->PublishAs(parent + "/model"));
//
// It is the folder <parent>/.emend-work-<owner>, or, where another's thing has that name, the same
// with -2, -3 and so on. `owner` names one run of work for good (an operation of a store): a run
// that was killed and begins again finds its own folder, empties and uses it. A folder is known as
// its own by the marker in it, or by being empty: nothing else is looked into. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "storage/base/file_system.h"
#include "storage/base/status.h"

namespace emend {

class WorkFolder {
 public:
  // Whether a work folder might be called so.
  static bool IsName(std::string_view name);
  // Failures are the file system's; kAlreadyExists if too many others have the names.
  static Result<std::unique_ptr<WorkFolder>> Create(FileSystem& files, const std::string& parent,
                                                    const std::string& owner);
  // The one that an earlier run with this owner has left.
  static Result<std::optional<std::string>> Find(FileSystem& files, const std::string& parent,
                                                 const std::string& owner);
  // It and all that is in it; ok if there is none.
  static Status RemoveLeft(FileSystem& files, const std::string& parent, const std::string& owner);

  // Removes it; logs where that cannot be done ("work_folder_left").
  ~WorkFolder();
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  // An empty folder at first, on the same disk as `parent`.
  const std::string& contents() const { return contents_; }

  // Each of these returns ok when what was published has reached the disk.
  // The contents under a name that nothing has: whole or not at all.
  Status PublishAs(const std::string& folder);
  // These files of the contents into a folder, one after another. On failure those that were moved
  // are removed again.
  Status PublishInto(const std::string& folder, std::span<const std::string> names);

  // Takes something away from its name; it is removed with the work folder.
  Status TakeAside(const std::string& path);

 private:
  WorkFolder(FileSystem& files, std::string path);

  FileSystem& files_;
  const std::string path_;
  const std::string contents_;
};

}  // namespace emend
