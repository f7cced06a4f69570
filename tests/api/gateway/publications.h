// What workers say to a gateway, in tests.
#pragma once

#include <string>
#include <vector>

#include "storage/base/digest.h"
#include "worker/protocol/messages.h"

namespace emend::api::gateway {

inline const BaseId kBase{Sha256("base")};
inline const RepoName kRepo{"facts"};

// What the ref stands for after its `number`th commit.
inline worker::protocol::PublishedRef RefAt(int number, const std::string& ref = "main") {
  const std::string name = ref + std::to_string(number);
  return {kRepo,
          ref,
          1'700'000'000'000,
          kBase,
          CommitId(Sha256("commit " + name)),
          StateId(Sha256("state " + name))};
}

inline worker::protocol::Publication PublicationAt(
    std::uint64_t sequence, std::vector<worker::protocol::PublishedRef> refs) {
  return {sequence, std::move(refs), {{"t1", Sha256("ask-secret"), "ann"}}};
}

// All of it live since it was published.
inline worker::protocol::ReadPublicationReply AllLive(
    const worker::protocol::Publication& publication, std::uint64_t silent_ms = 0) {
  worker::protocol::ReadPublicationReply reply{publication, {}, silent_ms};
  for (const auto& ref : publication.refs) reply.served.push_back({ref, publication.sequence});
  return reply;
}

}  // namespace emend::api::gateway
