// The line between ranks: what each collective leaves on each rank, and how every fault ends on all
// of them. Ranks are threads, connected over loopback.
#include "worker/collective/line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <optional>
#include <random>
#include <thread>

#include "tests/support/status_matchers.h"

namespace emend::worker::collective::line_test {
namespace {

using namespace std::chrono_literals;
using test::IsOk;
using test::StatusIs;

constexpr LineCall kSum{
    .name = "sum", .operation = 1, .type = 1, .elements = 0, .element_bytes = 4};

void Add(std::span<const std::uint8_t> below, std::span<std::uint8_t> into) {
  for (std::size_t at = 0; at < into.size(); at += sizeof(float)) {
    float lower = 0;
    float own = 0;
    std::memcpy(&lower, &below[at], sizeof lower);
    std::memcpy(&own, &into[at], sizeof own);
    own = lower + own;
    std::memcpy(&into[at], &own, sizeof own);
  }
}

std::span<std::uint8_t> BytesOf(std::vector<float>& values) {
  return {reinterpret_cast<std::uint8_t*>(values.data()), values.size() * sizeof(float)};
}

std::vector<float> ValuesOf(int rank, std::size_t count) {
  std::mt19937 random(static_cast<unsigned>(rank) + 1);
  std::vector<float> values(count);
  for (float& value : values)
    value = std::ldexp(static_cast<float>(random()) - 2e9F, -static_cast<int>(random() % 20));
  return values;
}

// What rank order gives: ((x0 + x1) + x2) + ...
std::vector<float> SumOf(int ranks, std::size_t count) {
  std::vector<float> sum = ValuesOf(0, count);
  for (int rank = 1; rank < ranks; ++rank) {
    const std::vector<float> values = ValuesOf(rank, count);
    for (std::size_t i = 0; i < count; ++i) sum[i] = sum[i] + values[i];
  }
  return sum;
}

struct Settings {
  int ranks = 2;
  std::chrono::milliseconds call_timeout{20s};
  std::chrono::milliseconds join_timeout{20s};
  std::size_t piece_bytes = 64;
};

// Runs `act` on every rank of a group, each in its thread; REQUIRES: the group forms.
void OnEachRank(const Settings& settings, const std::function<void(Line&)>& act) {
  std::vector<std::unique_ptr<LinePort>> ports;
  std::vector<std::string> addresses;
  for (int rank = 0; rank < settings.ranks; ++rank) {
    ports.push_back(std::move(LinePort::Open("127.0.0.1")).value());
    addresses.push_back(ports.back()->address());
  }
  std::vector<std::thread> threads;
  for (int rank = 0; rank < settings.ranks; ++rank) {
    threads.emplace_back([&, rank] {
      auto line = Line::Join(std::move(ports[static_cast<std::size_t>(rank)]),
                             {.rank = rank,
                              .size = settings.ranks,
                              .generation = 7,
                              .secret = "secret",
                              .addresses = addresses,
                              .join_timeout = settings.join_timeout,
                              .call_timeout = settings.call_timeout,
                              .piece_bytes = settings.piece_bytes});
      ASSERT_THAT(line.status(), IsOk());
      act(**line);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

class LineOfRanks : public testing::TestWithParam<int> {
 protected:
  Settings settings_{.ranks = GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Ranks, LineOfRanks, testing::Values(1, 2, 3, 4, 7));

TEST_P(LineOfRanks, ASumIsTakenInRankOrderAndTheSameOnAll) {
  for (const std::size_t count : {0, 1, 15, 16, 17, 1000}) {
    const std::vector<float> expected = SumOf(GetParam(), count);
    OnEachRank(settings_, [&](Line& line) {
      for (int round = 0; round < 3; ++round) {
        std::vector<float> values = ValuesOf(line.rank(), count);
        EXPECT_THAT(line.AllReduce(BytesOf(values), kSum, Add), IsOk());
        EXPECT_EQ(values, expected);
      }
    });
  }
}

TEST_P(LineOfRanks, EachRankGetsItsPartOfTheSum) {
  const std::size_t part = 37;
  const std::vector<float> expected =
      SumOf(GetParam(), part * static_cast<std::size_t>(GetParam()));
  OnEachRank(settings_, [&](Line& line) {
    std::vector<float> values = ValuesOf(line.rank(), expected.size());
    EXPECT_THAT(line.ReduceScatter(BytesOf(values), kSum, Add), IsOk());
    for (std::size_t i = 0; i < part; ++i) {
      const std::size_t at = static_cast<std::size_t>(line.rank()) * part + i;
      EXPECT_EQ(values[at], expected[at]);
    }
  });
}

TEST_P(LineOfRanks, EveryRankCanBeTheRoot) {
  OnEachRank(settings_, [&](Line& line) {
    for (int root = 0; root < line.size(); ++root) {
      std::vector<float> values = ValuesOf(line.rank(), 100);
      LineCall call = kSum;
      call.root = root;
      EXPECT_THAT(line.Broadcast(BytesOf(values), call), IsOk());
      EXPECT_EQ(values, ValuesOf(root, 100));
    }
  });
}

TEST_P(LineOfRanks, PartsAreGatheredInRankOrder) {
  const std::size_t part = 41;
  OnEachRank(settings_, [&](Line& line) {
    std::vector<float> all(part * static_cast<std::size_t>(line.size()));
    const std::vector<float> own = ValuesOf(line.rank(), part);
    std::ranges::copy(own, all.begin() + static_cast<std::ptrdiff_t>(part) * line.rank());
    EXPECT_THAT(line.AllGather(BytesOf(all), kSum), IsOk());
    for (int rank = 0; rank < line.size(); ++rank) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(part) * rank;
      EXPECT_EQ(std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(part)),
                ValuesOf(rank, part));
    }
  });
}

TEST(LineFaults, AnotherShapeOnOneRankEndsAllOfThem) {
  OnEachRank({.ranks = 4}, [](Line& line) {
    std::vector<float> values(line.rank() == 2 ? 8 : 9);
    LineCall call = kSum;
    call.elements = values.size();
    const Status status = line.AllReduce(BytesOf(values), call, Add);
    EXPECT_FALSE(status.ok());
    const bool is_beside = line.rank() == 1 || line.rank() == 3;
    if (is_beside && status.slug() == "collective_mismatch") {
      EXPECT_THAT(status.message(), testing::HasSubstr("rank 2 is at"));
    }
    EXPECT_EQ(line.AllReduce(BytesOf(values), call, Add), status) << "it has ended for good";
  });
}

TEST(LineFaults, ALostRankEndsTheOthersAtOnce) {
  const auto begin = std::chrono::steady_clock::now();
  OnEachRank({.ranks = 4, .call_timeout = 60s}, [](Line& line) {
    if (line.rank() == 1) return;  // its connections close
    std::vector<float> values(1000);
    const Status status = line.AllReduce(BytesOf(values), kSum, Add);
    EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, "group_lost"));
    EXPECT_THAT(status.message(),
                testing::HasSubstr("rank " + std::to_string(line.rank()) + " of 4, generation 7"));
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

TEST(LineFaults, ARankThatHangsEndsTheOthersAtTheDeadline) {
  std::atomic<int> failed = 0;
  OnEachRank({.ranks = 3, .call_timeout = 300ms}, [&](Line& line) {
    if (line.rank() == 1) {
      while (failed < 2) std::this_thread::sleep_for(5ms);
      return;
    }
    std::vector<float> values(1000);
    const Status status = line.AllReduce(BytesOf(values), kSum, Add);
    EXPECT_THAT(status, StatusIs(StatusCode::kDeadlineExceeded, "collective_timeout"));
    ++failed;
  });
}

TEST(LineFaults, AnAbortFromAnotherThreadEndsAllOfThem) {
  OnEachRank({.ranks = 3, .call_timeout = 60s}, [](Line& line) {
    std::thread aborting;
    if (line.rank() == 0) {
      aborting = std::thread([&line] {
        std::this_thread::sleep_for(50ms);
        line.Abort();
      });
    }
    std::vector<float> values(10);
    // The last rank waits for nothing to come: rank 1 never calls.
    if (line.rank() != 1) {
      EXPECT_THAT(line.AllReduce(BytesOf(values), kSum, Add),
                  StatusIs(StatusCode::kUnavailable, "group_lost"));
    }
    if (aborting.joinable()) aborting.join();
    if (line.rank() == 1) std::this_thread::sleep_for(200ms);
  });
}

TEST(LineFaults, ARankThatNeverComesIsNamed) {
  auto port = std::move(LinePort::Open("127.0.0.1")).value();
  const auto absent = std::move(LinePort::Open("127.0.0.1")).value();
  const std::vector<std::string> addresses = {port->address(), absent->address()};
  const auto line = Line::Join(std::move(port), {.rank = 0,
                                                 .size = 2,
                                                 .generation = 1,
                                                 .secret = "s",
                                                 .addresses = addresses,
                                                 .join_timeout = 200ms});
  EXPECT_THAT(line.status(), StatusIs(StatusCode::kDeadlineExceeded, "collective_timeout"));
}

TEST(LineFaults, AnotherGroupIsNotJoined) {
  for (const bool other_secret : {true, false}) {
    std::vector<std::unique_ptr<LinePort>> ports;
    std::vector<std::string> addresses;
    for (int rank = 0; rank < 2; ++rank) {
      ports.push_back(std::move(LinePort::Open("127.0.0.1")).value());
      addresses.push_back(ports.back()->address());
    }
    std::vector<std::thread> threads;
    for (int rank = 0; rank < 2; ++rank) {
      threads.emplace_back([&, rank] {
        const bool is_other = rank == 1;
        const auto line = Line::Join(std::move(ports[static_cast<std::size_t>(rank)]),
                                     {.rank = rank,
                                      .size = 2,
                                      .generation = is_other && !other_secret ? 4U : 3U,
                                      .secret = is_other && other_secret ? "b" : "a",
                                      .addresses = addresses,
                                      .join_timeout = 300ms});
        EXPECT_FALSE(line.ok());
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

// ---- links -------------------------------------------------------------------------------------

// Every link of the group. While this lives the system drops what arrives at any connection of the
// process, before TCP sees it: nothing is acknowledged, and nobody is told.
class CutLinks {
 public:
  CutLinks() {
    for (int descriptor = 0; descriptor < kDescriptorsMax; ++descriptor) {
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &size) != 0 ||
          peer.sin_family != AF_INET)
        continue;
      sock_filter drop_all{BPF_RET | BPF_K, 0, 0, 0};
      const sock_fprog program{1, &drop_all};
      EXPECT_EQ(setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0)
          << std::strerror(errno);
      descriptors_.push_back(descriptor);
    }
    EXPECT_EQ(descriptors_.size(), 4U) << "data and pulse of one link, at both ends";
  }
  ~CutLinks() {
    const int unused = 0;
    for (const int descriptor : descriptors_)
      setsockopt(descriptor, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused);
  }
  CutLinks(const CutLinks&) = delete;
  CutLinks& operator=(const CutLinks&) = delete;

 private:
  static constexpr int kDescriptorsMax = 1024;
  std::vector<int> descriptors_;
};

constexpr std::size_t kMoreThanBuffersHold = std::size_t{16} << 20;  // values

// Rank 0 has sent until rank 1's buffers were full; rank 1 has data on its way.
TEST(LineLinks, ACutIsNoticedAndNamesTheNeighbour) {
  std::optional<CutLinks> cut;
  OnEachRank({.call_timeout = 60s, .piece_bytes = 1 << 18}, [&](Line& line) {
    std::vector<float> values(kMoreThanBuffersHold);
    if (line.rank() == 1) {
      std::this_thread::sleep_for(500ms);
      cut.emplace();
    }
    const auto begin = std::chrono::steady_clock::now();
    const Status status = line.AllReduce(BytesOf(values), kSum, Add);
    EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, "group_lost"));
    EXPECT_THAT(status.message(),
                testing::HasSubstr("rank " + std::to_string(1 - line.rank()) + " is out of reach"));
    EXPECT_GT(std::chrono::steady_clock::now() - begin, 4s);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  });
}

TEST(LineLinks, ACutIsNoticedBetweenCalls) {
  std::optional<CutLinks> cut;
  std::atomic<int> watching = 0;
  OnEachRank({}, [&](Line& line) {
    EXPECT_THAT(line.Watch(), IsOk());
    ++watching;
    while (watching < 2) std::this_thread::sleep_for(5ms);
    if (line.rank() == 1) cut.emplace();
    const auto begin = std::chrono::steady_clock::now();
    Status status;
    while (status.ok() && std::chrono::steady_clock::now() - begin < 10s) {
      std::this_thread::sleep_for(50ms);
      status = line.Watch();
    }
    EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, "group_lost"));
    EXPECT_THAT(status.message(),
                testing::HasSubstr("rank " + std::to_string(1 - line.rank()) + " is out of reach"));
    --watching;
    while (watching > 0) std::this_thread::sleep_for(5ms);  // a close would come in between
    std::vector<float> values(10);
    EXPECT_THAT(line.AllReduce(BytesOf(values), kSum, Add),
                StatusIs(StatusCode::kUnavailable, "group_lost"));
  });
}

// The neighbour is cut off for less than it takes, and reads nothing for longer.
TEST(LineLinks, ABusyNeighbourAndACutThatHealsAreNoLoss) {
  OnEachRank({.call_timeout = 60s, .piece_bytes = 1 << 18}, [](Line& line) {
    std::vector<float> values(kMoreThanBuffersHold, 1.0F);
    if (line.rank() == 1) {
      std::this_thread::sleep_for(500ms);
      std::optional<CutLinks> cut(std::in_place);
      std::this_thread::sleep_for(3s);
      cut.reset();
      std::this_thread::sleep_for(5s);
    }
    EXPECT_THAT(line.AllReduce(BytesOf(values), kSum, Add), IsOk());
    EXPECT_EQ(values, std::vector<float>(kMoreThanBuffersHold, 2.0F));
  });
}

}  // namespace
}  // namespace emend::worker::collective::line_test
