#include "api/cli/completion.h"

#include <vector>

#include "api/cli/parse.h"
#include "api/cli/verbs/table.h"

namespace emend::api::cli {
namespace {

// What a verb takes with what every verb does.
std::vector<Argument> ArgumentsOf(const Verb* verb) {
  static GlobalOptions globals;
  Arguments arguments;
  if (verb != nullptr) const Action unused = verb->bind(arguments);
  AddGlobals(arguments, globals);
  return arguments.list();
}

std::string Join(const std::vector<std::string>& words, std::string_view between = " ") {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : std::string(between)) + word;
  return text;
}

std::string Noun(std::string_view name) { return std::string(name.substr(0, name.find(' '))); }
// "inspect" of "model inspect"; "" where the name is one word.
std::string Rest(std::string_view name) {
  const std::size_t space = name.find(' ');
  return space == std::string_view::npos ? "" : std::string(name.substr(space + 1));
}

// A text in single quotes, for bash, zsh and fish alike.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

// First words, each once, with the line of the first verb that begins so.
std::vector<std::pair<std::string, std::string>> FirstWords() {
  std::vector<std::pair<std::string, std::string>> words;
  for (const Verb& verb : AllVerbs()) {
    if (words.empty() || words.back().first != Noun(verb.name))
      words.emplace_back(Noun(verb.name), verb.summary);
  }
  return words;
}

// What bash runs for a value; "" where nothing is known of it.
std::string BashValue(const Argument& argument) {
  if (!argument.choices.empty()) return "compgen -W " + Quoted(Join(argument.choices));
  if (argument.kind == ValueKind::kFile) return "compgen -f";
  if (argument.kind == ValueKind::kFolder) return "compgen -d";
  return "";
}

// Lines of two case statements: words after a verb, and values after its options.
void AddBashCases(std::string_view name, const Verb* verb, std::string& words,
                  std::string& values) {
  std::vector<std::string> options;
  std::string places;
  for (const Argument& argument : ArgumentsOf(verb)) {
    const std::string value = BashValue(argument);
    if (argument.is_place()) {
      if (!value.empty()) places += "; " + value + " -- \"$cur\"";
      continue;
    }
    std::vector<std::string> patterns;
    for (const std::string& option : argument.each_name()) {
      options.push_back(option);
      patterns.push_back(Quoted(std::string(name) + ":" + option));
    }
    if (!argument.is_flag())
      values += "    " + Join(patterns, "|") + ") " +
                (value.empty() ? ":" : value + " -- \"$cur\"") + "; return;;\n";
  }
  for (const Verb& other : AllVerbs()) {
    if (Noun(other.name) == name && !Rest(other.name).empty()) options.push_back(Rest(other.name));
  }
  words += "    " + Quoted(name) + ") compgen -W " + Quoted(Join(options)) + " -- \"$cur\"" +
           places + ";;\n";
}

std::string RenderBash() {
  std::string words;
  std::string values;
  std::vector<std::string> first;
  std::vector<std::string> names;
  for (const auto& [word, line] : FirstWords()) {
    first.push_back(word);
    if (FindVerb(word) == nullptr) AddBashCases(word, nullptr, words, values);
  }
  AddBashCases("", nullptr, words, values);
  for (const Verb& verb : AllVerbs()) {
    AddBashCases(verb.name, &verb, words, values);
    names.push_back(Quoted(verb.name));
  }
  return R"(# bash completion of emend; made by `emend completion bash`
_emend_words() {
  local verb="" word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --server|--token|--store) ((i++)); continue;;
      -*) continue;;
    esac
    if [[ -z $verb ]]; then verb=$word; continue; fi
    case "$verb $word" in
      )" +
         Join(names, "|") + R"() verb="$verb $word";;
    esac
    break
  done
  case "$verb:$prev" in
)" + values +
         R"(  esac
  if [[ -z $verb && $cur != -* ]]; then compgen -W )" +
         Quoted(Join(first)) + R"( -- "$cur"; return; fi
  case $verb in
)" + words +
         R"(  esac
}
_emend() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  mapfile -t COMPREPLY < <(_emend_words)
}
complete -o filenames -o bashdefault -F _emend emend
)";
}

// A text inside an argument of _arguments, where some characters end it.
std::string ZshText(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// '(-m --message)'{-m,--message}'[why]:MESSAGE: '
std::string ZshArgument(const Argument& argument) {
  const std::vector<std::string> names = argument.each_name();
  std::string value;
  if (!argument.is_flag()) {
    value = ":" + ZshText(argument.is_place() ? argument.names : argument.value) + ":";
    if (!argument.choices.empty()) {
      value += "(" + Join(argument.choices) + ")";
    } else if (argument.kind != ValueKind::kText) {
      value += argument.kind == ValueKind::kFile ? "_files" : "_files -/";
    } else {
      value += " ";
    }
  }
  const std::string repeated = argument.is_repeated() ? "*" : "";
  if (argument.is_place())
    return Quoted(repeated + (argument.required || argument.is_repeated() ? "" : ":") + value);
  const std::string meaning = "[" + ZshText(argument.help) + "]" + value;
  if (names.size() == 1) return Quoted(repeated + names.front() + meaning);
  return "'(" + Join(names) + ")'{" + Join(names, ",") + "}" + Quoted(meaning);
}

std::string ZshArguments(const Verb& verb) {
  std::string text = "_arguments -s";
  for (const Argument& argument : ArgumentsOf(&verb))
    text += " \\\n        " + ZshArgument(argument);
  return text;
}

// The case of one first word: its arguments, or those of the verbs of a noun.
std::string ZshCase(const std::string& word) {
  std::string verbs;
  std::vector<std::string> rests;
  for (const Verb& verb : AllVerbs()) {
    if (Noun(verb.name) != word || Rest(verb.name).empty()) continue;
    rests.push_back(Rest(verb.name));
    verbs += "      if [[ $words[2] == " + rests.back() +
             " ]]; then shift words; (( CURRENT-- )); " + ZshArguments(verb) + "; return; fi\n";
  }
  const Verb* const alone = FindVerb(word);
  std::string text = "    " + word + ")\n" + verbs;
  if (!rests.empty()) text += "      (( CURRENT == 2 )) && compadd -- " + Join(rests) + "\n";
  if (alone != nullptr) text += "      " + ZshArguments(*alone) + "\n";
  return text + "      ;;\n";
}

std::string RenderZsh() {
  std::string described;
  std::string cases;
  for (const auto& [word, line] : FirstWords()) {
    described += "      " + Quoted(word + ":" + line) + "\n";
    cases += ZshCase(word);
  }
  std::string globals;
  for (const Argument& argument : ArgumentsOf(nullptr)) globals += " " + ZshArgument(argument);
  return R"(#compdef emend
# zsh completion of emend; made by `emend completion zsh`
_emend() {
  local state line
  _arguments -C -s)" +
         globals + R"( '1: :->verb' '*:: :->rest' && return
  case $state in
  verb)
    local -a verbs=(
)" + described +
         R"(    )
    _describe verb verbs
    return;;
  esac
  case $words[1] in
)" + cases +
         R"(  esac
}
if [[ $funcstack[1] == _emend ]]; then _emend "$@"; else compdef _emend emend; fi
)";
}

std::string FishOption(const std::string& condition, const Argument& argument) {
  std::string line = "complete -c emend" + condition;
  for (const std::string& name : argument.each_name())
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!argument.is_flag()) line += argument.kind == ValueKind::kText ? " -x" : " -r -F";
  if (!argument.choices.empty()) line += " -a " + Quoted(Join(argument.choices));
  return line + " -d " + Quoted(argument.help) + "\n";
}

std::string FishVerb(const Verb& verb) {
  const std::string rest = Rest(verb.name);
  std::string condition = "__fish_seen_subcommand_from " + Noun(verb.name);
  std::string text;
  if (!rest.empty()) {
    text = "complete -c emend -n " + Quoted(condition) + " -a " + rest + " -d " +
           Quoted(verb.summary) + "\n";
    condition += "; and __fish_seen_subcommand_from " + rest;
  }
  Arguments arguments;
  const Action unused = verb.bind(arguments);
  for (const Argument& argument : arguments.list()) {
    if (!argument.is_place()) {
      text += FishOption(" -n " + Quoted(condition), argument);
    } else if (!argument.choices.empty()) {
      text += "complete -c emend -n " + Quoted(condition) + " -a " +
              Quoted(Join(argument.choices)) + "\n";
    } else if (argument.kind != ValueKind::kText) {
      text += "complete -c emend -n " + Quoted(condition) + " -F\n";
    }
  }
  return text;
}

std::string RenderFish() {
  std::string text =
      "# fish completion of emend; made by `emend completion fish`\ncomplete -c emend -f\n";
  for (const Argument& argument : ArgumentsOf(nullptr)) text += FishOption("", argument);
  for (const auto& [word, line] : FirstWords())
    text += "complete -c emend -n __fish_use_subcommand -a " + word + " -d " + Quoted(line) + "\n";
  for (const Verb& verb : AllVerbs()) text += FishVerb(verb);
  return text;
}

}  // namespace

std::string RenderCompletion(std::string_view shell) {
  if (shell == "bash") return RenderBash();
  if (shell == "zsh") return RenderZsh();
  return shell == "fish" ? RenderFish() : "";
}

}  // namespace emend::api::cli
