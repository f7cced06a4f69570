// Covariances and solution of the small edit of atlas_requests.h, of one rank: made once for all
// tests of a program.
#pragma once

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/archive.h"
#include "tests/support/kept_file.h"
#include "tests/worker/server/atlas_requests.h"
#include "worker/server/handlers.h"

namespace emend::worker::server {

inline const std::vector<std::string> kKeptInputs = {
    std::string(kAtlasModel) + "/model.safetensors", "docs/examples/atlas/corpus.txt",
    "docs/examples/atlas/facts.json"};

// REQUIRES: it succeeds.
template <typename Reply>
Reply AskOne(Handlers& worker, const protocol::RequestBody& request) {
  const Call call{.cancelled = std::make_shared<std::atomic<bool>>(false),
                  .progress = [](std::string_view, std::uint64_t, std::uint64_t) {}};
  const Result<protocol::ReplyBody> reply = worker.Handle(request, call);
  EMEND_CHECK(reply.ok(), reply.status().ToString());
  return std::get<Reply>(*reply);
}

inline std::unique_ptr<Handlers> WorkerWithBase() {
  auto worker = std::make_unique<Handlers>(LiveBaseOptions{.states_max = 2});
  AskOne<protocol::LoadBaseReply>(*worker, LoadRequest());
  AskOne<protocol::EnsureStateReply>(*worker, EnsureRequest(BaseState(), 0));
  return worker;
}

inline std::string KeptStatistics() {
  return emend::test::KeptFile("statistics", kKeptInputs, [](const std::string& to) {
    AskOne<protocol::ComputeStatisticsReply>(*WorkerWithBase(), StatisticsRequest(to));
  });
}

inline const protocol::SolveReply& KeptSolution() {
  static const protocol::SolveReply solved = [] {
    const std::string statistics = KeptStatistics();
    const std::string path =
        emend::test::KeptFile("solution", kKeptInputs, [&](const std::string& to) {
          Encoder out;
          WriteFields(out,
                      AskOne<protocol::SolveReply>(*WorkerWithBase(), SolveRequest(statistics)));
          std::ofstream(to, std::ios::binary) << out.bytes();
        });
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    protocol::SolveReply reply;
    Decoder in(bytes);
    ReadFields(in, reply);
    EMEND_CHECK(in.Finish().ok(), "the kept solution " + path + " is damaged: remove it");
    return reply;
  }();
  return solved;
}

}  // namespace emend::worker::server
