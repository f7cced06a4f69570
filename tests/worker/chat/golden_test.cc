#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"
#include "worker/chat/chat_template.h"

namespace emend::worker::chat::golden_test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string kFolder = "tests/golden/chat/";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Message> MessagesOf(const json& rows) {
  std::vector<Message> messages;
  for (const json& row : rows) messages.push_back({row["role"], row["content"]});
  return messages;
}

// The time that make_goldens.py stops the clock at: 2024-08-01 12:34:56 UTC.
Options GoldenOptions() {
  Options options;
  options.now = WallTime(std::chrono::seconds(1722515696));
  return options;
}

// What the reference gave: a text, what the template itself refused, or a failure.
void ExpectOutcome(const Result<std::string>& rendered, const json& row, const std::string& name) {
  SCOPED_TRACE(name);
  if (row.contains("text")) {
    ASSERT_TRUE(rendered.ok()) << rendered.status().ToString();
    EXPECT_EQ(*rendered, row["text"].get<std::string>());
  } else if (row.contains("raised")) {
    EXPECT_THAT(rendered, test::StatusIs(StatusCode::kInvalidArgument, "refused_by_chat_template"));
    EXPECT_THAT(rendered.status().message(), HasSubstr(": " + row["raised"].get<std::string>()));
  } else if (row["fails"] == "SecurityError" || row["fails"] == "TemplateRuntimeError") {
    EXPECT_FALSE(rendered.ok());
  } else {
    EXPECT_THAT(rendered, test::StatusIs(StatusCode::kInvalidArgument, "chat_template_failed"));
  }
}

class TemplateTest : public testing::TestWithParam<std::string> {};

TEST_P(TemplateTest, RendersEveryConversationAsTheReferenceDoes) {
  const json goldens = json::parse(ReadFile(kFolder + "templates.golden.json"));
  const json& golden = goldens["templates"][GetParam()];
  SpecialTokens tokens;
  if (golden["tokens"].contains("bos_token")) tokens.bos = golden["tokens"]["bos_token"];
  if (golden["tokens"].contains("eos_token")) tokens.eos = golden["tokens"]["eos_token"];
  ASSERT_OK_AND_ASSIGN(
      const ChatTemplate chat,
      ChatTemplate::Parse(ReadFile(kFolder + "templates/" + GetParam() + ".jinja"), tokens));
  ASSERT_GE(golden["rows"].size(), 20u);
  for (const json& row : golden["rows"]) {
    Options options = GoldenOptions();
    options.adds_generation_prompt = row["adds_generation_prompt"];
    const json variables = row.value("variables", json::object());
    for (const auto& [name, value] : variables.items()) {
      if (value.is_boolean()) options.variables[name] = value.get<bool>();
      if (value.is_string()) options.variables[name] = value.get<std::string>();
    }
    const json& conversation = goldens["conversations"][row["conversation"].get<std::size_t>()];
    ExpectOutcome(chat.Render(MessagesOf(conversation), options), row, row.dump().substr(0, 80));
  }
}

INSTANTIATE_TEST_SUITE_P(EveryTemplate, TemplateTest,
                         testing::Values("chatml", "mistral-nemo", "mistral-v0.1", "mixtral",
                                         "own-gemma", "own-llama2", "own-llama3", "own-macros",
                                         "own-olmo2", "own-zephyr", "phi3-mini", "phi3.5-mini",
                                         "qwen2", "qwen2.5", "qwen3", "smollm2", "smollm3"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase_if(name,
                                         [](char byte) { return byte == '-' || byte == '.'; });
                           return name;
                         });

TEST(SnippetTest, EveryConstructDoesWhatItDoesInTheReference) {
  const json goldens = json::parse(ReadFile(kFolder + "snippets.golden.json"));
  const std::vector<Message> messages = MessagesOf(goldens["messages"]);
  ASSERT_GE(goldens["rows"].size(), 100u);
  for (const json& row : goldens["rows"]) {
    const auto source = row["template"].get<std::string>();
    ASSERT_OK_AND_ASSIGN(
        const ChatTemplate chat,
        ChatTemplate::Parse(source, {.bos = "<s>", .eos = "</s>", .unk = {}, .pad = {}}));
    ExpectOutcome(chat.Render(messages, GoldenOptions()), row, source);
  }
}

}  // namespace
}  // namespace emend::worker::chat::golden_test
