#include "api/rest/on_store.h"
#include "api/rest/page.h"

namespace emend::api::rest {
namespace {

constexpr Parameter kAfterAct{"after", In::kQuery, WholeNumber{0, std::int64_t{1} << 53, 0},
                              "Begin after this sequence number, in the order asked for"};
constexpr std::string_view kOrders[] = {"oldest", "newest"};
constexpr Parameter kOrder{"order", In::kQuery, Choice{kOrders, "oldest"}};

Json RenderAuditEntry(const storage::records::AuditEntry& entry) {
  Json ids = Json::array();
  for (const auto& [name, id] : entry.act.ids) ids.push_back({{"name", name}, {"id", id}});
  return {{"sequence", entry.sequence},
          {"previous", entry.previous.Hex()},
          {"time", RenderTime(entry.time_ms)},
          {"principal", entry.principal.name},
          {"token_id", entry.principal.token_id},
          {"act", entry.act.act},
          {"ids", std::move(ids)}};
}

Awaitable<Result<Response>> ReadAudit(HandlerContext* context, Request request) {
  const auto limit = static_cast<std::size_t>(request.Whole("limit"));
  const auto after = static_cast<std::uint64_t>(request.Whole("after"));
  const bool is_newest_first = request.Text("order") == "newest";
  EMEND_CO_ASSIGN_OR_RETURN(auto entries, co_await OnStore(context, [&](Journal& journal) {
                              return is_newest_first ? journal.ReadPageBefore(after, limit + 1)
                                                     : journal.ReadPage(after + 1, limit + 1);
                            }));
  const auto key = [](const auto& entry) { return std::to_string(entry.sequence); };
  co_return PageResponse(CutPage(std::move(entries), limit, key), RenderAuditEntry);
}

}  // namespace

std::vector<Route> AuditRoutes() {
  return {{.method = Method::kGet,
           .pattern = "/api/v1/audit",
           .operation_id = "readAudit",
           .summary = "The audit chain",
           .scope = Scope::kAdmin,
           .parameters = {kLimit, kAfterAct, kOrder},
           .answer = {200, "AuditPage"},
           .handler = ReadAudit}};
}

}  // namespace emend::api::rest
