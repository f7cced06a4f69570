#include "api/cli/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace emend::api::cli::progress_test {
namespace {

using client::OperationUpdate;

TEST(Progress, ShowsPhaseCountAndTimeLeft) {
  const OperationUpdate update{.id = "",
                               .kind = "",
                               .state = "running",
                               .phase = "targets",
                               .done = 50,
                               .total = 100,
                               .eta_seconds = 12};
  EXPECT_EQ(RenderProgress(update, 120),
            "targets [" + std::string(15, '#') + std::string(15, '.') + "] 50/100  eta 12 s");
  EXPECT_EQ(RenderProgress(update, 11), "targets [#");
}

TEST(Progress, WithoutATotalItIsThePhase) {
  EXPECT_EQ(RenderProgress({.id = "",
                            .kind = "",
                            .state = "accepted",
                            .phase = "",
                            .done = 0,
                            .total = 0,
                            .eta_seconds = -1},
                           80),
            "accepted");
}

TEST(Progress, AWaitingOneSaysHowManyAreBeforeIt) {
  OperationUpdate update{.id = "",
                         .kind = "",
                         .state = "accepted",
                         .phase = "",
                         .done = 0,
                         .total = 0,
                         .eta_seconds = -1,
                         .position = 3};
  EXPECT_EQ(RenderProgress(update, 80), "waiting, 3 before it");
  update.position = 0;
  EXPECT_EQ(RenderProgress(update, 80), "waiting, next in line");
}

TEST(Progress, MoreThanAllIsAll) {
  const OperationUpdate update{.id = "",
                               .kind = "",
                               .state = "running",
                               .phase = "p",
                               .done = 7,
                               .total = 5,
                               .eta_seconds = -1};
  EXPECT_EQ(RenderProgress(update, 120), "p [" + std::string(30, '#') + "] 7/5");
}

Terminal To(std::ostringstream& err, bool is_terminal) {
  return {.out = nullptr,
          .err = &err,
          .out_is_terminal = false,
          .err_is_terminal = is_terminal,
          .width = 80,
          .environment = {},
          .program_folder = ""};
}

TEST(ProgressBar, RedrawsInPlaceAndLeavesNothing) {
  std::ostringstream err;
  const Terminal terminal = To(err, true);
  {
    ProgressBar bar(terminal, /*quiet=*/false);
    bar.ShowText("one");
    bar.ShowText("one");
    bar.ShowText("two");
  }
  EXPECT_EQ(err.str(), "\r\033[Kone\r\033[Ktwo\r\033[K");
}

TEST(ProgressBar, IsSilentOffATerminalAtFirstAndWhenQuiet) {
  std::ostringstream err;
  const Terminal pipe = To(err, false);
  const Terminal screen = To(err, true);
  ProgressBar(pipe, /*quiet=*/false).ShowText("one");
  ProgressBar(screen, /*quiet=*/true).ShowText("one");
  EXPECT_EQ(err.str(), "");
}

}  // namespace
}  // namespace emend::api::cli::progress_test
