#include <cstdio>

#include "api/cli/text.h"
#include "api/cli/verb.h"

namespace emend::api::cli::verbs::doctor_verb {
namespace {

std::string Fixed(double value, const char* unit) {
  char text[32];
  std::snprintf(text, sizeof(text), value < 10 ? "%.1f %s" : "%.0f %s", value, unit);
  return text;
}

std::vector<std::vector<std::string>> RankRows(const Json& group) {
  std::vector<std::vector<std::string>> rows = {{"RANK", "HOST", "ADDRESS", "DEVICE", "COLLECTIVES",
                                                 "NCCL", "THREADS", "CORES", "FREE", "/DEV/SHM"}};
  for (const Json& rank : group.value("ranks", Json::array())) {
    const std::string interface = TextOf(rank, "interface");
    const std::string nccl = TextOf(rank, "nccl_version");
    rows.push_back({rank.value("rank", Json()).dump(), TextOf(rank, "host"),
                    TextOf(rank, "address") + (interface.empty() ? "" : " (" + interface + ")"),
                    TextOf(rank, "device"), TextOf(rank, "collectives"), nccl.empty() ? "-" : nccl,
                    rank.value("threads", Json()).dump(), rank.value("cores", Json()).dump(),
                    RenderMebibytes(NumberOf(rank, "memory_free_bytes")),
                    RenderMebibytes(NumberOf(rank, "shm_free_bytes"))});
  }
  return rows;
}

std::vector<std::vector<std::string>> LinkRows(const Json& group) {
  std::vector<std::vector<std::string>> rows = {{"RANKS", "LATENCY", "BANDWIDTH"}};
  for (const Json& link : group.value("links", Json::array())) {
    const Json ranks = link.value("ranks", Json::array({0, 0}));
    const std::string pair = ranks[0].dump() + " - " + ranks[1].dump();
    if (!link.value("reached", false)) {
      rows.push_back({pair, "not reached", TextOf(link, "why_not")});
    } else {
      rows.push_back({pair, Fixed(NumberOf(link, "latency_us"), "us"),
                      Fixed(NumberOf(link, "gigabytes_per_second"), "GB/s")});
    }
  }
  return rows;
}

// Counts what is more than a note.
int PrintAdvice(Session& session, const Json& list) {
  int serious = 0;
  for (const Json& advice : list) {
    const std::string severity = TextOf(advice, "severity");
    const Colour colour = severity == "error"     ? Colour::kRed
                          : severity == "warning" ? Colour::kYellow
                                                  : Colour::kBlue;
    session.out() << session.terminal().Paint(severity + ":", colour) << " "
                  << TextOf(advice, "found") << "\n"
                  << "    expected " << TextOf(advice, "expected") << "\n"
                  << "    do: " << TextOf(advice, "action") << "\n";
    serious += severity == "note" ? 0 : 1;
  }
  return serious;
}

bool IsSerious(const Json& advice) {
  for (const Json& each : advice) {
    if (TextOf(each, "severity") != "note") return true;
  }
  return false;
}

Result<int> Run(Session& session) {
  EMEND_ASSIGN_OR_RETURN(const Json diagnosis, session.Post("/api/v1/diagnoses", Json::object()));
  const Json groups = diagnosis.value("groups", Json::array());
  if (session.json()) {
    bool serious = IsSerious(diagnosis.value("advice", Json::array()));
    for (const Json& group : groups)
      serious = serious || IsSerious(group.value("advice", Json::array()));
    session.Print(diagnosis);
    return serious ? kExitNo : kExitOk;
  }
  int serious = PrintAdvice(session, diagnosis.value("advice", Json::array()));
  for (const Json& group : groups) {
    session.out() << "group " << TextOf(group, "group") << "\n" << RenderTable(RankRows(group));
    if (!group.value("links", Json::array()).empty()) session.out() << RenderTable(LinkRows(group));
    serious += PrintAdvice(session, group.value("advice", Json::array()));
  }
  session.out() << (serious == 0 ? session.terminal().Paint("nothing is wrong", Colour::kGreen)
                                 : std::to_string(serious) + " to look into")
                << "\n";
  return serious == 0 ? kExitOk : kExitNo;
}

}  // namespace

Verb Make() {
  return {
      .name = "doctor",
      .group = Group::kServe,
      .summary = "test workers, the ranks of their groups and what lies between them",
      .details = "Says what to mend; exits 1 if anything is more than a note.",
      .document =
          "`{\"disk_free_bytes\", \"groups\": [{\"group\", \"ranks\", \"links\", \"advice\"}], "
          "\"advice\": [{\"severity\", \"code\", \"found\", \"expected\", \"action\"}]}`; exit 1 "
          "if anything is more than a note",
      .bind = Bind<Run>};
}

}  // namespace emend::api::cli::verbs::doctor_verb
