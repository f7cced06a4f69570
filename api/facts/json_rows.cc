#include "api/facts/json_rows.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "api/facts/draft.h"
#include "api/facts/fact_file.h"

namespace emend::api::facts {
namespace {

// Thrown through the parser's callback, which has no other way to stop it; never leaves this file.
struct Refusal : std::runtime_error {
  explicit Refusal(Status why) : std::runtime_error(why.message()), status(std::move(why)) {}
  Status status;
};

Status TooManyRows() {
  return ResourceExhausted("has more than " + std::to_string(kFactRowsMax) + " rows");
}

Status TooDeep() {
  return {StatusCode::kInvalidArgument, "bad_fact_file",
          "is nested deeper than " + std::to_string(kJsonDepthMax) + " levels"};
}

// Hands each element of the outermost array to the sink as soon as it is complete, and lets the
// parser forget it.
class ArrayElements {
 public:
  explicit ArrayElements(const JsonRowSink& sink) : sink_(sink) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth > kJsonDepthMax) throw Refusal(TooDeep());
    if (depth != 1 || event == Event::key) return true;
    if (event == Event::object_start || event == Event::array_start) {
      Count();
      return sink_.wants(rows_);
    }
    if (event == Event::value) Count();
    if (sink_.wants(rows_)) sink_.take(rows_, parsed);
    return false;
  }

  std::size_t rows() const { return rows_; }

 private:
  void Count() {
    if (++rows_ > kFactRowsMax) throw Refusal(TooManyRows());
  }

  const JsonRowSink& sink_;
  std::size_t rows_ = 0;
};

Result<Json> ParseLine(std::string_view line) {
  try {
    return Json::parse(line, [](int depth, Json::parse_event_t, const Json&) {
      if (depth > kJsonDepthMax) throw Refusal(TooDeep());
      return true;
    });
  } catch (const Json::parse_error& error) {
    return InvalidArgument("is not JSON: it breaks at byte " + std::to_string(error.byte) +
                           " of the line, " + ProblemList::Quote(line));
  } catch (const Json::exception& error) {
    return InvalidArgument(std::string("is not JSON that can be read: ") + error.what());
  } catch (const Refusal& refusal) {
    return refusal.status;
  }
}

}  // namespace

Result<std::size_t> ReadJsonArray(std::string_view text, const JsonRowSink& sink) {
  ArrayElements elements(sink);
  try {
    const Json emptied =
        Json::parse(text, [&](int depth, Json::parse_event_t event, const Json& parsed) {
          return elements(depth, event, parsed);
        });
    EMEND_CHECK(emptied.is_array() || emptied.is_discarded(),
                "a JSON array was parsed into something else");
    return elements.rows();
  } catch (const Json::parse_error& error) {
    const std::size_t byte = std::min(error.byte, text.size());
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(byte), '\n');
    return Status(StatusCode::kInvalidArgument, "bad_fact_file",
                  "is not JSON: it breaks at byte " + std::to_string(error.byte) + ", line " +
                      std::to_string(line) + ", behind row " + std::to_string(elements.rows()));
  } catch (const Json::exception& error) {
    return Status(StatusCode::kInvalidArgument, "bad_fact_file",
                  std::string("is not JSON that can be read: ") + error.what());
  } catch (const Refusal& refusal) {
    return refusal.status;
  }
}

Result<std::size_t> ReadJsonLines(std::string_view text, const JsonRowSink& sink) {
  std::size_t rows = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    if (++rows > kFactRowsMax) return TooManyRows();
    if (!sink.wants(rows)) continue;
    const Result<Json> record = ParseLine(line);
    if (record.ok()) {
      sink.take(rows, *record);
    } else {
      sink.not_json(rows, record.status().message());
    }
  }
  return rows;
}

}  // namespace emend::api::facts
