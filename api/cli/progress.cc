#include "api/cli/progress.h"

#include <algorithm>

#include "api/cli/text.h"

namespace emend::api::cli {
namespace {

constexpr int kBarColumns = 30;
constexpr std::chrono::seconds kLineEvery{10};

}  // namespace

std::string RenderProgress(const client::OperationUpdate& update, int width) {
  std::string line = update.phase.empty() ? update.state : update.phase;
  if (update.position > 0) line = "waiting, " + std::to_string(update.position) + " before it";
  if (update.position == 0) line = "waiting, next in line";
  if (update.total > 0) {
    const auto filled = static_cast<std::size_t>(
        std::min<double>(1, static_cast<double>(update.done) / static_cast<double>(update.total)) *
        kBarColumns);
    line += " [" + std::string(filled, '#') + std::string(kBarColumns - filled, '.') + "] " +
            std::to_string(update.done) + "/" + std::to_string(update.total);
  }
  if (update.eta_seconds >= 0) line += "  eta " + RenderSeconds(update.eta_seconds);
  return line.substr(0, static_cast<std::size_t>(std::max(1, width - 1)));
}

void ProgressBar::Show(const client::OperationUpdate& update) {
  if (update.state == "accepted" || update.state == "running")
    ShowText(RenderProgress(update, terminal_.width));
}

void ProgressBar::ShowText(const std::string& text) {
  if (quiet_ || text == last_line_) return;
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_.err_is_terminal && now - last_time_ < kLineEvery) return;
  last_time_ = now;
  last_line_ = text;
  Draw(text);
}

void ProgressBar::Draw(const std::string& line) {
  if (terminal_.err_is_terminal) {
    *terminal_.err << "\r\033[K" << line << std::flush;
    drawn_ = true;
  } else {
    *terminal_.err << line << std::endl;
  }
}

void ProgressBar::Clear() {
  if (drawn_) *terminal_.err << "\r\033[K" << std::flush;
  drawn_ = false;
}

}  // namespace emend::api::cli
