#include "worker/server/launch.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/status_matchers.h"

namespace emend::worker::server::launch_test {
namespace {

using ::emend::test::StatusIs;
using Environment = std::map<std::string, std::string>;

Result<Launch> From(const Environment& environment) {
  return LaunchFrom([&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

struct Case {
  const char* name;
  Environment environment;
  std::int32_t rank;
  std::int32_t world_size;
  const char* group;
};

class LaunchTest : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Launchers, LaunchTest,
                         testing::Values(Case{"emend",
                                              {{"EMEND_RANK", "3"},
                                               {"EMEND_WORLD_SIZE", "4"},
                                               {"EMEND_GROUP", "g7"},
                                               {"RANK", "0"},
                                               {"WORLD_SIZE", "1"}},
                                              3,
                                              4,
                                              "g7"},
                                         Case{"torchrun",
                                              {{"RANK", "1"},
                                               {"WORLD_SIZE", "2"},
                                               {"LOCAL_RANK", "1"},
                                               {"MASTER_ADDR", "host0"},
                                               {"TORCHELASTIC_RUN_ID", "job/5"}},
                                              1,
                                              2,
                                              "job-5"},
                                         Case{"lws",
                                              {{"LWS_WORKER_INDEX", "2"},
                                               {"LWS_GROUP_SIZE", "4"},
                                               {"LWS_LEADER_ADDRESS", "emend-1.emend.default"}},
                                              2,
                                              4,
                                              "emend-1"},
                                         Case{"slurm",
                                              {{"SLURM_PROCID", "7"},
                                               {"SLURM_NTASKS", "8"},
                                               {"SLURM_JOB_ID", "991"},
                                               {"SLURM_LOCALID", "3"}},
                                              7,
                                              8,
                                              "991"},
                                         Case{"openmpi",
                                              {{"OMPI_COMM_WORLD_RANK", "0"},
                                               {"OMPI_COMM_WORLD_SIZE", "2"},
                                               {"PMIX_NAMESPACE", "prterun-h-12@1"}},
                                              0,
                                              2,
                                              "prterun-h-12-1"}),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_P(LaunchTest, ThePlaceIsTheLaunchers) {
  ASSERT_OK_AND_ASSIGN(const Launch launch, From(GetParam().environment));
  EXPECT_EQ(launch.rank, GetParam().rank);
  EXPECT_EQ(launch.world_size, GetParam().world_size);
  EXPECT_EQ(launch.group, GetParam().group);
  EXPECT_EQ(launch.name, std::string(GetParam().group) + "." + std::to_string(GetParam().rank));
}

TEST_P(LaunchTest, OnesOwnGroupAndNameComeFirst) {
  Environment environment = GetParam().environment;
  environment["EMEND_GROUP"] = "mine";
  environment["EMEND_NAME"] = "node-5";
  environment["EMEND_COORDINATOR"] = "10.0.0.1:8322";
  environment["EMEND_GATEWAYS"] = "10.0.0.3:7412,,g1.gateways:7412,";
  environment["EMEND_HOST"] = "10.0.0.2";
  ASSERT_OK_AND_ASSIGN(const Launch launch, From(environment));
  EXPECT_EQ(launch.group, "mine");
  EXPECT_EQ(launch.name, "node-5");
  EXPECT_EQ(launch.coordinator, "10.0.0.1:8322");
  EXPECT_EQ(launch.gateways, (std::vector<std::string>{"10.0.0.3:7412", "g1.gateways:7412"}));
  EXPECT_EQ(launch.host, "10.0.0.2");
}

TEST(LaunchRefusalTest, HalfAPlaceIsRefusedByName) {
  for (const Environment& environment : {Environment{{"RANK", "1"}},
                                         {{"WORLD_SIZE", "2"}},
                                         {{"RANK", "2"}, {"WORLD_SIZE", "2"}},
                                         {{"RANK", "-1"}, {"WORLD_SIZE", "2"}},
                                         {{"SLURM_PROCID", "one"}, {"SLURM_NTASKS", "2"}},
                                         {{"EMEND_RANK", "1x"}, {"EMEND_WORLD_SIZE", "2"}},
                                         {{"RANK", "0"}, {"WORLD_SIZE", "0"}}}) {
    EXPECT_THAT(From(environment), StatusIs(StatusCode::kInvalidArgument, "bad_launch"));
  }
}

TEST(LaunchDeviceTest, TheRankOnItsMachineIsTheLaunchersOrElseTheRank) {
  for (const auto& [environment, local_rank] :
       {std::pair(Environment{{"RANK", "5"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "1"}}, 1),
        {{{"SLURM_PROCID", "7"}, {"SLURM_NTASKS", "8"}, {"SLURM_LOCALID", "3"}}, 3},
        {{{"OMPI_COMM_WORLD_RANK", "3"},
          {"OMPI_COMM_WORLD_SIZE", "4"},
          {"OMPI_COMM_WORLD_LOCAL_RANK", "0"}},
         0},
        {{{"EMEND_RANK", "2"}, {"EMEND_WORLD_SIZE", "4"}, {"EMEND_LOCAL_RANK", "1"}}, 1},
        {{{"LWS_WORKER_INDEX", "2"}, {"LWS_GROUP_SIZE", "4"}}, 2},
        {{{"EMEND_RANK", "2"}, {"EMEND_WORLD_SIZE", "4"}, {"LOCAL_RANK", "1"}}, 2}}) {
    ASSERT_OK_AND_ASSIGN(const Launch launch, From(environment));
    EXPECT_EQ(launch.local_rank, local_rank);
  }
  EXPECT_THAT(From({{"RANK", "5"}, {"WORLD_SIZE", "8"}, {"LOCAL_RANK", "x"}}),
              StatusIs(StatusCode::kInvalidArgument, "bad_launch"));
}

TEST(LaunchDeviceTest, DeviceAndCollectiveAreAskedForByName) {
  ASSERT_OK_AND_ASSIGN(const Launch plain, From({}));
  EXPECT_EQ(plain.device, "cpu");
  EXPECT_EQ(plain.collective, "auto");
  ASSERT_OK_AND_ASSIGN(const Launch launch, From({{"EMEND_DEVICE", "cuda:1"},
                                                  {"EMEND_COLLECTIVE", "tcp"},
                                                  {"RANK", "0"},
                                                  {"WORLD_SIZE", "2"}}));
  EXPECT_EQ(launch.device, "cuda:1");
  EXPECT_EQ(launch.collective, "tcp");
}

TEST(LaunchRefusalTest, WithoutALauncherAProcessIsAGroupOfOne) {
  ASSERT_OK_AND_ASSIGN(const Launch launch, From({}));
  EXPECT_EQ(launch.launcher, "");
  EXPECT_EQ(launch.rank, 0);
  EXPECT_EQ(launch.world_size, 1);
  EXPECT_EQ(launch.name, "");
}

}  // namespace
}  // namespace emend::worker::server::launch_test
