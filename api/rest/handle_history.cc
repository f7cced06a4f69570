#include <charconv>

#include "api/rest/handlers.h"
#include "api/rest/render.h"

namespace emend::api::rest {
namespace {

constexpr std::uint64_t kLimitDefault = 100;
constexpr std::uint64_t kLimitMax = 1000;
constexpr std::uint64_t kHistoryMax = 1'000'000;

// A log's cursor is "<head>.<how many were given>": commits never change, so the same cursor always
// goes on at the same place.
struct Cursor {
  std::string head;
  std::uint64_t given = 0;
};

Result<Cursor> ParseCursor(const std::string& text) {
  const std::size_t dot = text.find('.');
  Cursor cursor{.head = text.substr(0, dot)};
  const std::string digits = dot == std::string::npos ? std::string() : text.substr(dot + 1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), cursor.given);
  const bool is_number =
      !digits.empty() && error == std::errc() && end == digits.data() + digits.size();
  if (!is_number || cursor.given > kHistoryMax || !CommitId::FromHex(cursor.head).ok()) {
    return Status(StatusCode::kInvalidArgument, "bad_parameter",
                  "reading the parameter \"after\": found \"" + text +
                      "\", expected the \"next\" of an earlier page");
  }
  return cursor;
}

// Where the log begins: at the cursor, else at the revision's head.
Awaitable<Result<Cursor>> LogStart(HandlerContext* context, const Request* request) {
  if (request->query.contains("after")) co_return ParseCursor(request->Query("after"));
  // Named before the co_await: g++ 12 destroys the temporary of a conditional inside one twice.
  std::string revision = request->Query("revision");
  if (revision.empty()) revision = "main";
  EMEND_CO_ASSIGN_OR_RETURN(const CommitId head,
                            co_await context->service->Resolve(request->repo(), revision));
  co_return Cursor{.head = head.Hex(), .given = 0};
}

}  // namespace

Awaitable<Result<Response>> ListCommits(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const std::uint64_t limit,
                            NumberParameter(request, "limit", kLimitDefault, kLimitMax));
  EMEND_CO_ASSIGN_OR_RETURN(const Cursor start, co_await LogStart(context, &request));
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto commits,
      co_await context->service->Log(request.repo(), start.head, start.given + limit + 1));
  Json items = Json::array();
  const std::size_t end = start.given + limit;
  for (std::size_t i = start.given; i < commits.size() && i < end; ++i)
    items.push_back(RenderCommit(commits[i]));
  const Json next =
      commits.size() > end && limit > 0 ? Json(start.head + "." + std::to_string(end)) : Json();
  co_return JsonResponse(200, {{"items", std::move(items)}, {"next", next}});
}

Awaitable<Result<Response>> ShowCommit(HandlerContext* context, Request request) {
  EMEND_CO_ASSIGN_OR_RETURN(const auto shown, co_await context->service->Show(
                                                  request.repo(), request.place.at("revision")));
  Response response = JsonResponse(200, RenderShownCommit(shown));
  response.headers.emplace_back("ETag", "\"" + shown.commit.id.Hex() + "\"");
  co_return response;
}

Awaitable<Result<Response>> DiffCommits(HandlerContext* context, Request request) {
  for (const char* name : {"from", "to"}) {
    if (request.Query(name).empty()) {
      co_return Status(
          StatusCode::kInvalidArgument, "bad_parameter",
          "comparing two commits: the parameter \"" + std::string(name) + "\" is missing");
    }
  }
  EMEND_CO_ASSIGN_OR_RETURN(
      const auto report,
      co_await context->service->Diff(request.repo(), request.Query("from"), request.Query("to")));
  co_return JsonResponse(200, RenderDiff(report));
}

}  // namespace emend::api::rest
