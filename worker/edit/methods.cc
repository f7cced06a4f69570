// The methods that this worker knows. What solves a layer lies in a file of its own; methods that
// have it in common differ in their settings (worker/protocol/solve_settings.cc, under the same
// names).
#include <algorithm>
#include <array>
#include <utility>

#include "worker/edit/solver.h"

namespace emend::worker::edit {

std::unique_ptr<Solver> NewAlphaEdit(std::shared_ptr<const Statistics> statistics);
std::unique_ptr<Solver> NewMemit(std::shared_ptr<const Statistics> statistics);
std::unique_ptr<Solver> NewUltraEdit(std::shared_ptr<const Statistics> statistics);

namespace {

constexpr std::array<Method, 7> kMethods = {{
    {"memit", NewMemit},
    {"emmet", NewMemit},
    {"rome", NewMemit},
    {"alphaedit", NewAlphaEdit},
    {"blue", NewMemit},
    {"nas", NewMemit},
    {"ultraedit", NewUltraEdit},
}};

}  // namespace

std::span<const Method> Methods() { return kMethods; }

Result<std::unique_ptr<Solver>> NewSolver(std::string_view method,
                                          std::shared_ptr<const Statistics> statistics) {
  EMEND_RETURN_IF_ERROR(protocol::CheckMethod(method));
  return std::ranges::find(kMethods, method, &Method::name)->make(std::move(statistics));
}

}  // namespace emend::worker::edit
