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
constexpr double kLegendLeft = kLeft + kSize + 40, kLine = 20, kWidth = 1060;
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

// Kept, and PS or facts taken, of each try.
Result<std::vector<Point>> PointsOf(const Json& result, const std::string& measure) {
  std::vector<Point> points;
  for (const Json& made : result["tries"]) {
    if (!made["kept"].is_number())
      return InvalidArgument(
          "drawing the tries: no neighbours were given with the facts, expected some, to set what "
          "is kept against what is learnt");
    const double whole = measure == "taken" ? NumberOf(result, "n") : 100;
    points.push_back({NumberOf(made, "kept"), 100 * NumberOf(made, measure.c_str()) / whole});
  }
  return points;
}

// A mark for each try, a ring for the chosen one, and their numbers.
std::string Marks(const Json& result, const std::vector<Point>& points, const Axis& across,
                  const Axis& up) {
  std::string svg;
  std::map<std::pair<long, long>, std::pair<Point, std::string>> labels;  // by place
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point place{kLeft + across.Place(points[i].x), kTop + kSize - up.Place(points[i].y)};
    svg += "<circle cx=\"" + Number(place.x) + "\" cy=\"" + Number(place.y) +
           (i + 1 == result["chosen"]
                ? "\" r=\"8\" fill=\"none\" stroke=\"#c00\" stroke-width=\"3\"/>\n"
                : "\" r=\"4\" fill=\"#246\"/>\n");
    const std::pair near(std::lround(place.x / kNear), std::lround(place.y / kNear));
    std::string& label = labels.try_emplace(near, place, "").first->second.second;
    label += (label.empty() ? "" : ", ") + std::to_string(i + 1);
  }
  for (const auto& [near, label] : labels)
    svg += Text(label.first.x + 10, label.first.y - 8, "", label.second);
  return svg;
}

// What the numbers are.
std::string Legend(const Json& result) {
  std::string svg;
  const Json& tries = result["tries"];
  for (std::size_t i = 0; i < tries.size(); ++i) {
    const bool is_chosen = i + 1 == result["chosen"];
    svg += Text(kLegendLeft, kTop + kLine * static_cast<double>(i + 1),
                is_chosen ? " fill=\"#c00\" font-weight=\"bold\"" : "",
                std::to_string(i + 1) + ": " + RenderSettings(tries[i]["settings"]) +
                    (i == 0 ? " (default)" : "") + (is_chosen ? " (chosen)" : ""));
  }
  return svg;
}

}  // namespace

Result<std::string> RenderTriesPlot(const Json& result) {
  const std::string measure = result["tries"].front()["ps"].is_number() ? "ps" : "taken";
  EMEND_ASSIGN_OR_RETURN(const std::vector<Point> points, PointsOf(result, measure));
  Axis across, up;
  for (const Point& point : points) {
    across.Hold(point.x);
    up.Hold(point.y);
  }
  const double height = kTop + std::max(kSize + 60, kLine * static_cast<double>(points.size() + 1));
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + Number(kWidth) + "\" height=\"" +
         Number(height) + "\" font-family=\"sans-serif\" font-size=\"13\">\n" +
         "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n" +
         Grid(across, up, measure == "taken" ? "facts taken, %" : "PS, %") +
         Marks(result, points, across, up) + Legend(result) + "</svg>\n";
}

}  // namespace emend::api::cli
