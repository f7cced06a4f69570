#include "storage/base/failpoint.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace emend {
namespace {

enum class Action { kAbort, kError, kSleep };

struct Armed {
  int passes_left = 0;
  Action action = Action::kError;
};

// One table per process: a failpoint is reached from any depth, and threading it through every
// constructor would put test code into every signature.
struct Table {
  std::atomic<bool> active = false;
  std::mutex mutex;
  std::map<std::string, Armed, std::less<>> armed;  // guarded by mutex
  bool recording = false;                           // guarded by mutex
  std::set<std::string> recorded;                   // guarded by mutex
};

Result<std::map<std::string, Armed, std::less<>>> Parse(std::string_view spec) {
  std::map<std::string, Armed, std::less<>> armed;
  while (!spec.empty()) {
    const std::string_view part = spec.substr(0, spec.find(','));
    spec.remove_prefix(std::min(spec.size(), part.size() + 1));
    const std::size_t first = part.find(':');
    const std::size_t second = first == std::string_view::npos ? first : part.find(':', first + 1);
    if (second == std::string_view::npos)
      return InvalidArgument("a failpoint was armed: \"" + std::string(part) +
                             "\" is not name:nth:action");
    const std::string action(part.substr(second + 1));
    const int nth = std::atoi(std::string(part.substr(first + 1, second - first - 1)).c_str());
    static const std::map<std::string, Action> kActions = {
        {"abort", Action::kAbort}, {"error", Action::kError}, {"sleep", Action::kSleep}};
    const auto found = kActions.find(action);
    if (found == kActions.end() || nth < 1) {
      return InvalidArgument("a failpoint was armed: \"" + std::string(part) +
                             "\" needs nth >= 1 and one of abort, error, sleep");
    }
    armed[std::string(part.substr(0, first))] = {nth, found->second};
  }
  return armed;
}

Table& Failpoints() {
  static Table* table = [] {
    auto* created = new Table;
    if (const char* spec = std::getenv("EMEND_FAILPOINT")) {
      auto parsed = Parse(spec);
      EMEND_CHECK(parsed.ok(), parsed.status().ToString());
      created->armed = std::move(parsed).value();
      created->active = !created->armed.empty();
    }
    return created;
  }();
  return *table;
}

}  // namespace

Status ArmFailpoints(std::string_view spec) {
  EMEND_ASSIGN_OR_RETURN(auto armed, Parse(spec));
  Table& table = Failpoints();
  const std::lock_guard lock(table.mutex);
  table.armed = std::move(armed);
  table.active = table.recording || !table.armed.empty();
  return OkStatus();
}

void RecordFailpoints(bool on) {
  Table& table = Failpoints();
  const std::lock_guard lock(table.mutex);
  table.recording = on;
  table.recorded.clear();
  table.active = on || !table.armed.empty();
}

std::vector<std::string> RecordedFailpoints() {
  Table& table = Failpoints();
  const std::lock_guard lock(table.mutex);
  return {table.recorded.begin(), table.recorded.end()};
}

Status internal::PassFailpoint(std::string_view name) {
  Table& table = Failpoints();
  if (!table.active.load(std::memory_order_relaxed)) return OkStatus();
  std::unique_lock lock(table.mutex);
  if (table.recording) table.recorded.emplace(name);
  const auto found = table.armed.find(name);
  if (found == table.armed.end() || --found->second.passes_left != 0) return OkStatus();
  const Action action = found->second.action;
  lock.unlock();
  if (action == Action::kAbort) kill(getpid(), SIGKILL);
  if (action == Action::kSleep) std::this_thread::sleep_for(std::chrono::seconds(2));
  if (action == Action::kError)
    return Status(StatusCode::kInternal, "failpoint",
                  "failpoint " + std::string(name) + " was armed to fail here");
  return OkStatus();
}

}  // namespace emend
