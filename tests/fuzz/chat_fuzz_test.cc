#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/fuzz/mutations.h"
#include "worker/chat/chat_template.h"

namespace emend::worker::chat::chat_fuzz_test {
namespace {

constexpr std::uint64_t kTemplatesEach = 150;
const std::string kGoldens = "tests/golden/chat/";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const std::vector<Message> kMessages = {{"system", " S\xc3\xa9 "},
                                        {"user", "<think>a</think>b"},
                                        {"assistant", "\n\xf0\x9f\xa6\x99\n"},
                                        {"user", ""}};

// What a damaged template may do: be refused with a reason, or render a text or a failure.
void ExpectRefusedOrRendered(const std::string& source, std::uint64_t seed, int* refused) {
  const auto chat =
      ChatTemplate::Parse(source, {.bos = "<s>", .eos = "</s>", .unk = {}, .pad = {}});
  if (!chat.ok()) {
    ++*refused;
    EXPECT_NE(chat.status().code(), StatusCode::kInternal) << "seed " << seed;
    EXPECT_GT(chat.status().message().size(), 30u) << "seed " << seed;
    return;
  }
  const auto rendered = chat->Render(kMessages);
  if (rendered.ok()) {
    EXPECT_LE(rendered->size(), kTextBytesMax) << "seed " << seed;
  } else {
    EXPECT_NE(rendered.status().code(), StatusCode::kInternal) << "seed " << seed;
  }
}

TEST(DamagedChatTemplateTest, DamagedBytesOfTemplatesAreRefusedOrHarmless) {
  int refused = 0, templates = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kGoldens + "templates")) {
    if (entry.path().extension() != ".jinja") continue;
    ++templates;
    const std::string source = ReadFile(entry.path());
    for (std::uint64_t seed = 0; seed < kTemplatesEach; ++seed)
      ExpectRefusedOrRendered(test::Mutator(seed).Bytes(source), seed, &refused);
  }
  EXPECT_GE(templates, 17);
  EXPECT_GT(refused, templates * static_cast<int>(kTemplatesEach) / 4);
}

// Small templates hit by every change, so that most of what is left still means something.
TEST(DamagedChatTemplateTest, DamagedSnippetsAreRefusedOrHarmless) {
  const auto goldens = nlohmann::json::parse(ReadFile(kGoldens + "snippets.golden.json"));
  int refused = 0;
  for (const auto& row : goldens["rows"]) {
    const auto source = row["template"].get<std::string>();
    for (std::uint64_t seed = 0; seed < kTemplatesEach; ++seed)
      ExpectRefusedOrRendered(test::Mutator(seed).Bytes(source), seed, &refused);
  }
  EXPECT_GT(refused, static_cast<int>(goldens["rows"].size() * kTemplatesEach) / 4);
}

}  // namespace
}  // namespace emend::worker::chat::chat_fuzz_test
