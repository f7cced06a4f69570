#include "tests/worker/protocol/sample_messages.h"

#include "storage/base/archive.h"

namespace emend::worker::protocol {
namespace {

Digest DigestOf(std::uint8_t first) {
  Digest digest;
  for (std::size_t i = 0; i < Digest::kSize; ++i)
    digest.bytes[i] = static_cast<std::uint8_t>(first + i);
  return digest;
}

const BaseId kBase(DigestOf(1));
const StateId kState(DigestOf(101));
const EditId kFirst(DigestOf(41));
const EditId kSecond(DigestOf(42));
const Publication kPublication{
    7,
    {{RepoName("facts"), "main", 1'700'000'000'000, kBase, CommitId(DigestOf(61)), kState}},
    {{"t-1", DigestOf(81), "ann"}}};

SolveSettings SampleSettings() {
  SolveSettings settings = *DefaultSettings("memit", 28);
  settings.layers = {LayerIndex(2), LayerIndex(3)};
  settings.seed = 7;
  settings.context_templates = {{"{}"}, {"The {}", "So {}"}};
  return settings;
}

std::vector<Message> SampleRequests() {
  return {
      Request{1, LoadBase{kBase, "/models/atlas", {{"config.json", kBase.digest()}}}},
      Request{2, EnsureState{kBase, kState, {kFirst, kSecond}}},
      Request{3, PutEdits{kBase, {{kFirst, std::string("\0\xff payload", 10)}, {kSecond, ""}}}},
      Request{
          4,
          ComputeStatistics{
              kBase, {2, 3}, {"one line", "další řádek"}, 5000, "/store/statistics/c.safetensors"}},
      Request{5, Solve{kBase,
                       kState,
                       SampleSettings(),
                       "/store/statistics/c.safetensors",
                       {{"The mother tongue of {} is", "Danielle Darrieux", "English"}}}},
      Request{6, Evaluate{kBase,
                          kState,
                          {{"{} plays",
                            "Ann",
                            "chess",
                            "go",
                            {"Ann plays"},
                            {{"Bob plays"}, {"Cy plays", "go"}}},
                           {"p {}", "s", "t", std::nullopt, {}, {}}},
                          StateId(DigestOf(102)),
                          true}},
      Request{8, DigestState{kBase, kState}},
      Request{9, SampleTexts{kBase, {"Therefore", ""}, 2, 10, 5, 7, true}},
  };
}

std::vector<Message> SampleReplies() {
  return {
      Response{1, OkStatus(), LoadBaseReply{123456, 1.5, "gpt2", 12, 3072, 1024}},
      Response{2, OkStatus(), EnsureStateReply{{kSecond}}},
      Response{3, OkStatus(), PutEditsReply{}},
      Response{4, OkStatus(), ComputeStatisticsReply{{2, 3}, 4999, 0.25, 1, 20, {{3, 64, 2}}}},
      Response{5, OkStatus(),
               SolveReply{{{"delta", "keys", "target", 25, 0.125}},
                          {{3, "h.3.mlp.c_proj.weight", 12.5, 18.25, 0.5, 300, 64, 17, 2}},
                          {{"targets", 3.5}, {"solve", 0.5}}}},
      Response{6, OkStatus(),
               EvaluateReply{
                   200,
                   99.5,
                   93,
                   80.25,
                   90,
                   88,
                   77,
                   66,
                   {{true, 0.75}, {false, 0.125}},
                   3,
                   66.5,
                   0.25,
                   {{true, 0.5}},
                   14.5,
                   QuestionReport{"", {{"What do bees make?", " Honey", " Wax", false}}, 0.25, 4.5},
                   QuestionReport{"", {{"Ann plays", " go", " chess", false, false, true}}, 0.5, 1},
                   12.5}},
      Response{8, OkStatus(), DigestStateReply{{{"h.3.mlp.c_proj.weight", DigestOf(9)}}}},
      Response{
          9,
          {StatusCode::kFailedPrecondition, "state_not_live", "solving on a state: it is not live"},
          std::nullopt},
      Response{10, OkStatus(), SampleTextsReply{{"Therefore it is", ""}, 2, {"user: {}"}}},
  };
}

// With all their fields.
std::vector<Message> SampleLaterMessages() {
  const SolvedTarget target{std::string("\0\0\x80\x3f", 4), 25, 0.125};
  Solve solve{kBase,   kState, SampleSettings(), "/c.safetensors", {{"{} is", "Ann", "tall"}},
              {target}};
  return {
      Heartbeat{{1000, 200, 30, 4, 555}},
      Request{14, LoadBase{kBase,
                           "/models/atlas",
                           {{"config.json", kBase.digest()}},
                           "/models/atlas.tiles",
                           {{"wte", kState.digest()}}}},
      Request{15, std::move(solve)},
      Request{16, OptimiseTargets{kBase, kState, SampleSettings(), {{"{} is", "Ann", "tall"}}}},
      Response{16, OkStatus(), OptimiseTargetsReply{{target}, 1.5}},
      Request{17, Complete{kBase,
                           kState,
                           "Ann is",
                           8,
                           0.5,
                           0.9,
                           40,
                           7,
                           {"\n"},
                           2,
                           {{"user", "Hi"}},
                           {5, 9},
                           true}},
      Piece{17,
            kState,
            " tall",
            {{"Ann", {}, 0, {}}, {" tall", -0.25, 6, {{" tall", 0.75}, {" old", 0.125}}}}},
      Response{17, OkStatus(), CompleteReply{true, 2, 8}},
      Request{18, StepTexts{kBase}},
      Response{18, OkStatus(), StepTextsReply{}},
      Request{19, ProbeRanks{}},
      Response{19, OkStatus(),
               ProbeRanksReply{{{1, "b", "10.0.0.2", "eth0", "cuda:0", true, "2.28.9", "", 16, 32,
                                 1000, 900, 64, 60}},
                               {{0, 1, true, "", 75.5, 3.5}},
                               {{"warning", "shm_small", "64 bytes", "1 GB", "more of it"}}}},
      Request{20, DigestTiles{kBase, kState, "wte"}},
      Response{20, OkStatus(), DigestTilesReply{{{{0, kBase.digest()}, {7, kState.digest()}}, {}}}},
      Request{21, ForgetBase{kBase, "its bytes differ"}},
      Response{21, OkStatus(), ForgetBaseReply{}},
      Request{22, Publish{kPublication}},
      Response{22, OkStatus(), PublishReply{true, kBase, {kState}}},
      Request{25, Blame{kBase, kState, "Ann plays", "chess", 4, 2}},
      Response{25, OkStatus(),
               BlameReply{" chess", -0.5, -9.25, {{kFirst, 0.75, -8.5}, {kSecond, 0.125, -0.5}}}},
      Request{24, AdoptGroup{}},
      Response{24, OkStatus(), AdoptGroupReply{GroupPlace{kBase.digest(), 1, 2}}},
      Request{23, ReadPublication{}},
      Response{23, OkStatus(),
               ReadPublicationReply{kPublication, {{kPublication.refs[0], 6}}, 250}},
  };
}

// Later than the others.
std::vector<Message> SampleGroupMessages() {
  return {
      Request{11, OpenLine{}},
      Request{12, JoinGroup{4, 1, {"10.0.0.1:4000", "10.0.0.2:4000"}, "secret"}},
      Request{13, Follow{}},
      Response{11, OkStatus(), OpenLineReply{"10.0.0.1:4000"}},
      Response{12, OkStatus(), JoinGroupReply{}},
      Response{13, OkStatus(), FollowReply{}},
  };
}

// Fills every field that a struct lists.
class RandomFiller {
 public:
  explicit RandomFiller(std::mt19937_64& random) : random_(random) {}
  void Fill(bool& value) { value = random_() % 2 == 1; }
  void Fill(std::uint16_t& value) { value = static_cast<std::uint16_t>(random_()); }
  void Fill(std::uint32_t& value) { value = static_cast<std::uint32_t>(random_()); }
  void Fill(std::int32_t& value) { value = static_cast<std::int32_t>(random_()); }
  void Fill(std::uint64_t& value) { value = random_(); }
  void Fill(std::int64_t& value) { value = static_cast<std::int64_t>(random_()); }
  void Fill(double& value) { value = std::uniform_real_distribution<>(-1e9, 1e9)(random_); }
  void Fill(std::string& value) {
    value.resize(random_() % 40);
    for (char& c : value) c = static_cast<char>(random_());
  }
  void Fill(Digest& value) {
    for (auto& byte : value.bytes) byte = static_cast<std::uint8_t>(random_());
  }
  template <typename Tag>
  void Fill(ContentId<Tag>& id) {
    Digest digest;
    Fill(digest);
    id = ContentId<Tag>(digest);
  }
  template <typename T, typename Tag>
  void Fill(Named<T, Tag>& name) {
    T value{};
    Fill(value);
    name = Named<T, Tag>(std::move(value));
  }
  template <typename A, typename B>
  void Fill(std::pair<A, B>& pair) {
    Fill(pair.first);
    Fill(pair.second);
  }
  template <typename T>
  void Fill(std::vector<T>& list) {
    list.resize(random_() % 5);
    for (T& item : list) Fill(item);
  }
  template <typename K, typename V>
  void Fill(std::map<K, V>& map) {
    for (std::uint64_t left = random_() % 5; left > 0; --left) {
      std::pair<K, V> item;
      Fill(item);
      map.insert(std::move(item));
    }
  }
  template <typename T>
  void Fill(std::optional<T>& value) {
    if (random_() % 2 == 0) Fill(value.emplace());
  }
  template <typename Enum>
    requires std::is_enum_v<Enum>
  void Fill(Enum& value) {
    value = static_cast<Enum>(1 + random_() % static_cast<std::uint64_t>(LastOf(Enum())));
  }
  template <HasFields Struct>
  void Fill(Struct& value) {
    std::apply([this](auto&... fields) { (Fill(fields), ...); }, Struct::Fields(value));
  }

 private:
  std::mt19937_64& random_;
};

template <typename... Bodies>
void FillVariant(std::mt19937_64& random, std::variant<Bodies...>& variant, std::size_t index) {
  std::size_t at = 0;
  const auto fill_if = [&]<typename Body>(std::type_identity<Body>) {
    if (at++ != index) return;
    RandomFiller(random).Fill(variant.template emplace<Body>());
  };
  (fill_if(std::type_identity<Bodies>()), ...);
}

}  // namespace

std::vector<Message> SampleMessages() {
  std::vector<Message> messages = {
      Hello{"secret", WorkerId("w0"), "g0", 1, 2, "cuda:0", 16, std::uint64_t{80} << 30, 4242},
      Welcome{3, 7, 500},
      Refuse{"bad_token", "joining: the token is not this coordinator's"},
      Heartbeat{},
      Progress{5, "targets", 3, 100},
      Cancel{5},
  };
  for (const auto& list :
       {SampleRequests(), SampleReplies(), SampleGroupMessages(), SampleLaterMessages()})
    messages.insert(messages.end(), list.begin(), list.end());
  return messages;
}

Message RandomMessage(std::mt19937_64& random) {
  const std::size_t kind = random() % 12;
  if (kind < 5) {
    Request request{.id = random(), .body = {}};
    FillVariant(random, request.body, random() % std::variant_size_v<RequestBody>);
    return request;
  }
  if (kind < 10) {
    Response response{.id = random(), .status = {}, .body = {}};
    FillVariant(random, response.body.emplace(), random() % std::variant_size_v<ReplyBody>);
    return response;
  }
  if (kind == 10)
    return Response{.id = random(),
                    .status = {static_cast<StatusCode>(1 + random() % 14), "slug", "what happened"},
                    .body = {}};
  std::variant<Hello, Welcome, Refuse, Heartbeat, Progress, Cancel, Piece> small;
  FillVariant(random, small, random() % std::variant_size_v<decltype(small)>);
  return std::visit([](auto& message) { return Message(std::move(message)); }, small);
}

}  // namespace emend::worker::protocol
