#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/status_matchers.h"
#include "tests/support/temporary_folder.h"
#include "worker/chat/chat_template.h"

namespace emend::worker::chat::load_chat_template_test {
namespace {

using nlohmann::json;
using test::IsOkAndHolds;
using test::StatusIs;
using testing::HasSubstr;

class LoadChatTemplateTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.path() + "/" + name, std::ios::binary) << text;
  }
  void WriteConfig(const json& config) { Write("tokenizer_config.json", config.dump()); }

  // What the folder's template renders of nothing.
  Result<std::string> Rendered() {
    EMEND_ASSIGN_OR_RETURN(const std::optional<ChatTemplate> chat,
                           LoadChatTemplate(folder_.path()));
    if (!chat) return NotFound("no template");
    return chat->Render({});
  }

  test::TemporaryFolder folder_;
};

TEST_F(LoadChatTemplateTest, AFolderWithoutATemplateHasNone) {
  EXPECT_THAT(Rendered(), StatusIs(StatusCode::kNotFound));
  WriteConfig({{"bos_token", "<s>"}, {"chat_template", nullptr}});
  EXPECT_THAT(Rendered(), StatusIs(StatusCode::kNotFound));
}

TEST_F(LoadChatTemplateTest, TheTemplateOfTheConfigSeesItsTokens) {
  WriteConfig({{"chat_template", "{{ bos_token }}{{ eos_token }}{{ unk_token }}{{ pad_token }}"},
               {"bos_token", "<s>"},
               {"eos_token", {{"content", "</s>"}, {"lstrip", false}}},
               {"unk_token", {{"content", "<unk>"}}},
               {"pad_token", nullptr}});
  EXPECT_THAT(Rendered(), IsOkAndHolds(std::string("<s></s><unk>")));
}

TEST_F(LoadChatTemplateTest, OfAListTheDefaultIsTaken) {
  WriteConfig({{"chat_template",
                {{{"name", "rag"}, {"template", "r"}}, {{"name", "default"}, {"template", "d"}}}}});
  EXPECT_THAT(Rendered(), IsOkAndHolds(std::string("d")));
}

TEST_F(LoadChatTemplateTest, TheFileGoesBeforeTheConfigWhichGivesTheTokens) {
  WriteConfig({{"chat_template", "config"}, {"bos_token", "<s>"}});
  Write("chat_template.jinja", "file {{ bos_token }}\n");
  EXPECT_THAT(Rendered(), IsOkAndHolds(std::string("file <s>")));
}

TEST_F(LoadChatTemplateTest, AFileWithoutAConfigIsEnough) {
  Write("chat_template.jinja", "alone{{ bos_token }}");
  EXPECT_THAT(Rendered(), IsOkAndHolds(std::string("alone")));
}

TEST_F(LoadChatTemplateTest, AConfigThatIsNotWhatItShouldBeIsRefusedByItsPath) {
  const std::pair<json, const char*> kCases[] = {
      {json::array(), "tokenizer_config.json: expected a JSON object"},
      {{{"chat_template", 1}}, "\"chat_template\": expected a text or a list, found number"},
      {{{"chat_template", {"a"}}}, "expected a name and a template in each element"},
      {{{"chat_template", {{{"name", "rag"}, {"template", ""}}}}},
       "expected one called \"default\", found \"rag\""},
      {{{"chat_template", json::array()}}, "expected one called \"default\", found none"},
      {{{"chat_template", ""}, {"bos_token", 1}}, "\"bos_token\": expected a text, found number"},
      {{{"chat_template", "{{"}}, "tokenizer_config.json: reading a chat template: line 1"}};
  for (const auto& [config, message] : kCases) {
    WriteConfig(config);
    const auto rendered = Rendered();
    EXPECT_THAT(rendered, StatusIs(StatusCode::kInvalidArgument, "bad_chat_template")) << config;
    EXPECT_THAT(rendered.status().message(), HasSubstr(message));
    EXPECT_THAT(rendered.status().message(), HasSubstr(folder_.path()));
  }
}

TEST_F(LoadChatTemplateTest, ATemplateOverTheBoundIsRefused) {
  Write("chat_template.jinja", std::string(kTemplateBytesMax + 1, 'a'));
  EXPECT_THAT(Rendered(), StatusIs(StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace emend::worker::chat::load_chat_template_test
