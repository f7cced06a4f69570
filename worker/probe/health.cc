#include "worker/probe/health.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "storage/base/file_system.h"

namespace emend::worker::probe {
namespace {

Result<std::chrono::seconds> AgeOf(const std::string& file,
                                   std::chrono::system_clock::time_point now) {
  struct stat info{};
  if (stat(file.c_str(), &info) != 0) {
    return Status(errno == ENOENT ? StatusCode::kNotFound : StatusCode::kUnavailable,
                  "reading the health file " + file + ": " + std::strerror(errno));
  }
  return std::chrono::duration_cast<std::chrono::seconds>(
      now - std::chrono::system_clock::from_time_t(info.st_mtim.tv_sec));
}

}  // namespace

Status CheckHealth(const std::string& file, Question question,
                   std::chrono::system_clock::time_point now) {
  EMEND_ASSIGN_OR_RETURN(const std::chrono::seconds age, AgeOf(file, now));
  if (age > kStale) {
    return {StatusCode::kUnavailable, "hangs",
            "reading the health file " + file + ": it was written " + std::to_string(age.count()) +
                " s ago, expected at most " + std::to_string(kStale.count())};
  }
  if (question == Question::kLive) return OkStatus();
  EMEND_ASSIGN_OR_RETURN(const std::string state, PosixFileSystem().Read(file));
  if (state == "connected\n") return OkStatus();
  return {StatusCode::kUnavailable, "dialling",
          "reading the health file " + file + ": found \"" + state.substr(0, state.find('\n')) +
              "\", expected connected"};
}

}  // namespace emend::worker::probe
