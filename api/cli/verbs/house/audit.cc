#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::audit_verb {
namespace {

struct Options {
  std::optional<std::uint64_t> after;
  std::optional<std::uint64_t> before;
  std::uint64_t count = 100;
};

Result<int> Run(Session& session, const Options& options) {
  const std::optional<std::uint64_t> position = options.after ? options.after : options.before;
  EMEND_ASSIGN_OR_RETURN(
      const Json page,
      session.GetPages(std::string("/api/v1/audit?order=") + (options.after ? "oldest" : "newest"),
                       options.count, position ? std::to_string(*position) : ""));
  if (session.json()) {
    session.Print(page);
    return kExitOk;
  }
  std::vector<std::vector<std::string>> rows = {{"SEQUENCE", "TIME", "PRINCIPAL", "ACT", "IDS"}};
  for (const Json& entry : page.value("items", Json::array())) {
    std::string ids;
    for (const Json& id : entry.value("ids", Json::array()))
      ids += (ids.empty() ? "" : " ") + TextOf(id, "name") + "=" + TextOf(id, "id").substr(0, 20);
    rows.push_back({std::to_string(static_cast<long>(NumberOf(entry, "sequence"))),
                    TextOf(entry, "time").substr(0, 19), TextOf(entry, "principal"),
                    TextOf(entry, "act"), ids});
  }
  session.out() << RenderTable(rows);
  if (const std::string next = TextOf(page, "next"); !next.empty())
    session.Hint(std::string("audit ") + (options.after ? "--after " : "--before ") + next);
  return kExitOk;
}

void Describe(Arguments& arguments, Options& options) {
  arguments.Add({.names = "-n",
                 .value = "N",
                 .help = "how many",
                 .range = Range{1, kCountMax},
                 .into = &options.count});
  arguments.Add({.names = "--before",
                 .value = "SEQUENCE",
                 .help = "only what is older than this sequence number",
                 .into = &options.before});
  arguments.Add({.names = "--after",
                 .value = "SEQUENCE",
                 .help = "oldest first, from after this sequence number",
                 .excludes = "--before",
                 .into = &options.after});
}

}  // namespace

Verb Make() {
  return {.name = "audit",
          .group = Group::kHouse,
          .summary = "who did what, newest first",
          .document =
              "`{\"items\": [{\"sequence\", \"time\", \"principal\", \"act\", \"ids\", …}], "
              "\"next\"}`",
          .bind = Bind<Options, Describe, Run>};
}

}  // namespace emend::api::cli::verbs::audit_verb
