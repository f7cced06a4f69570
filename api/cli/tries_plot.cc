#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "api/cli/text.h"
#include "api/cli/tries.h"

namespace emend::api::cli {
namespace {

// In units of the picture.
constexpr double kLeft = 70, kTop = 50, kSize = 400;
constexpr double kListLeft = kLeft + kSize + 40, kLine = 20, kWidth = 1060;
constexpr double kNear = 12;  // points so near share a label
constexpr double kTick = 10;  // percent

struct Point {
  double x = 0, y = 0;  // percent
};

// Percent along one axis: whole tens around all of the values.
struct Axis {
  double low = 100, high = 0;
  void Hold(double value) {
    low = std::min(low, kTick * std::floor(std::max(0.0, value - 1) / kTick));
    high = std::max(high, kTick * std::ceil(std::min(100.0, value + 1) / kTick));
  }
  double Place(double value) const { return kSize * (value - low) / (high - low); }
};

std::string Number(double value) { return Fixed(value, 1); }

std::string Text(double x, double y, const std::string& attributes, const std::string& text) {
  return "<text x=\"" + Number(x) + "\" y=\"" + Number(y) + "\"" + attributes + ">" + text +
         "</text>\n";
}

std::string Line(double x1, double y1, double x2, double y2) {
  return "<line x1=\"" + Number(x1) + "\" y1=\"" + Number(y1) + "\" x2=\"" + Number(x2) +
         "\" y2=\"" + Number(y2) + "\" stroke=\"#ccc\"/>\n";
}

std::string Grid(const Axis& across, const Axis& up, const std::string& y_title) {
  std::string svg;
  const double bottom = kTop + kSize;
  for (double value = across.low; value <= across.high; value += kTick) {
    const double x = kLeft + across.Place(value);
    svg +=
        Line(x, kTop, x, bottom) + Text(x, bottom + 20, " text-anchor=\"middle\"", Fixed(value, 0));
  }
  for (double value = up.low; value <= up.high; value += kTick) {
    const double y = bottom - up.Place(value);
    svg += Line(kLeft, y, kLeft + kSize, y) +
           Text(kLeft - 8, y + 4, " text-anchor=\"end\"", Fixed(value, 0));
  }
  return svg + Text(kLeft, bottom + 45, "", "answers to neighbours kept, %") +
         Text(kLeft - 50, kTop - 20, "", y_title);
}

}  // namespace

Result<std::string> RenderTriesPlot(const Json& result) {
  const Json& tries = result["tries"];
  const bool has_paraphrases = tries.front()["ps"].is_number();
  std::vector<Point> points;
  Axis across, up;
  for (const Json& made : tries) {
    if (!made["kept"].is_number())
      return InvalidArgument(
          "drawing the tries: no neighbours were given with the facts, expected "
          "some, to set what is kept against what is learnt");
    const double taken = 100 * NumberOf(made, "taken") / NumberOf(result, "n");
    points.push_back({NumberOf(made, "kept"), has_paraphrases ? NumberOf(made, "ps") : taken});
    across.Hold(points.back().x);
    up.Hold(points.back().y);
  }
  std::string circles, list;
  std::map<std::pair<long, long>, std::pair<Point, std::string>> labels;  // by place
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point place{kLeft + across.Place(points[i].x), kTop + kSize - up.Place(points[i].y)};
    const bool is_chosen = i + 1 == result["chosen"];
    const std::string number = std::to_string(i + 1);
    circles += "<circle cx=\"" + Number(place.x) + "\" cy=\"" + Number(place.y) +
               (is_chosen ? "\" r=\"8\" fill=\"none\" stroke=\"#c00\" stroke-width=\"3\"/>\n"
                          : "\" r=\"4\" fill=\"#246\"/>\n");
    auto& [where, label] =
        labels.try_emplace({std::lround(place.x / kNear), std::lround(place.y / kNear)}, place, "")
            .first->second;
    label += (label.empty() ? "" : ", ") + number;
    const double y = kTop + kLine * static_cast<double>(i + 1);
    list += Text(kListLeft, y, is_chosen ? " fill=\"#c00\" font-weight=\"bold\"" : "",
                 number + ": " + RenderSettings(tries[i]["settings"]) +
                     (i == 0 ? " (default)" : "") + (is_chosen ? " (chosen)" : ""));
  }
  for (const auto& [key, label] : labels)
    circles += Text(label.first.x + 10, label.first.y - 8, "", label.second);
  const double height =
      std::max(kTop + kSize + 60, kTop + kLine * static_cast<double>(points.size() + 1));
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + Number(kWidth) + "\" height=\"" +
         Number(height) + "\" font-family=\"sans-serif\" font-size=\"13\">\n" +
         "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n" +
         Grid(across, up, has_paraphrases ? "PS, %" : "facts taken, %") + circles + list +
         "</svg>\n";
}

}  // namespace emend::api::cli
