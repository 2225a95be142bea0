#include "cli/textmate.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "lang/keywords.h"

namespace koi::cli {
namespace {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// A word that begins or ends with an ASCII letter has no letter, digit or `_` beside it. A Chinese
// one may touch a digit: `14天内` is three words. What stands behind a dot is a field.
std::string alternatives(std::vector<std::string> words) {
  std::sort(words.begin(), words.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::string out;
  for (const std::string& word : words) {
    out += out.empty() ? "" : "|";
    for (const char c : word) out += c == ' ' ? std::string("[ \\t]+") : std::string(1, c);
  }
  return out;
}

struct Scoped {
  std::vector<std::string> english;
  std::vector<std::string> chinese;
};

std::string scope_of(const lang::WordRow& row, std::string_view group) {
  using What = lang::WordRow::What;
  if (row.what == What::Type) return "support.type.koi";
  if (row.what == What::Builtin)
    return row.meaning.starts_with("function") ? "support.function.koi" : "support.constant.koi";
  if (group == "Declarations") return "keyword.declaration.koi";
  if (group == "Expressions") return "keyword.operator.word.koi";
  if (group == "Steps" || group == "Triggers") return "keyword.control.koi";
  return "keyword.other.koi";
}

std::string rule(std::string_view scope, const std::string& match) {
  return "{\"name\":" + json_string(scope) + ",\"match\":" + json_string(match) + "}";
}

std::string text_rule(std::string_view begin, std::string_view end) {
  return "{\"name\":\"string.quoted.koi\",\"begin\":" + json_string(begin) +
         ",\"end\":" + json_string(end) + ",\"patterns\":[{\"include\":\"#in-text\"}]}";
}

}  // namespace

std::string textmate_grammar() {
  std::map<std::string, Scoped> by_scope;
  std::string_view group;
  for (const lang::WordRow& row : lang::word_table()) {
    if (row.what == lang::WordRow::What::Group) {
      group = row.english;
      continue;
    }
    Scoped& into = by_scope[scope_of(row, group)];
    std::vector<std::string_view> spellings = row.others;
    spellings.push_back(row.english);
    spellings.push_back(row.chinese);
    for (const std::string_view spelling : spellings) {
      if (spelling.empty()) continue;
      const bool ascii = static_cast<unsigned char>(spelling.front()) < 0x80;
      (ascii ? into.english : into.chinese).emplace_back(spelling);
    }
  }
  // Longer phrases go first whatever their scope: `time zone` before `time`.
  std::string phrases, words;
  for (const auto& [scope, of] : by_scope) {
    std::vector<std::string> long_ones, short_ones;
    for (const std::string& each : of.english)
      (each.find(' ') == each.npos ? short_ones : long_ones).push_back(each);
    const auto english = [&](const std::vector<std::string>& all) {
      return rule(scope, "(?<![\\p{L}\\p{N}_.`])(?:" + alternatives(all) + ")(?![\\p{L}\\p{N}_`])");
    };
    if (!long_ones.empty()) phrases += "        " + english(long_ones) + ",\n";
    if (!short_ones.empty()) words += "        " + english(short_ones) + ",\n";
    if (!of.chinese.empty())
      words += "        " +
               rule(scope, "(?<![\\p{L}_.`])(?:" + alternatives(of.chinese) + ")(?![\\p{L}_`])") +
               ",\n";
  }
  std::string keywords = phrases + words;
  keywords.erase(keywords.size() - 2);  // the last comma and line feed

  const std::string insertion =
      R"({"name":"meta.embedded.koi","begin":"\\{","end":"\\}","beginCaptures":{"0":{"name":"punctuation.section.embedded.koi"}},"endCaptures":{"0":{"name":"punctuation.section.embedded.koi"}},"patterns":[{"include":"#all"}]})";
  std::string out = "{\n";
  out +=
      "  \"$schema\": \"https://raw.githubusercontent.com/martinring/tmlanguage/master/"
      "tmlanguage.json\",\n";
  out += "  \"name\": \"Koi\",\n  \"scopeName\": \"source.koi\",\n  \"fileTypes\": [\"koi\"],\n";
  out += "  \"patterns\": [{\"include\": \"#all\"}],\n  \"repository\": {\n";
  out += "    \"all\": {\n      \"patterns\": [\n        " + rule("comment.line.koi", "#.*$") +
         ",\n        " + text_rule("\"\"\"", "\"\"\"") + ",\n        " +
         text_rule("\"", "\"|(?=$)") + ",\n        " + text_rule("“", "”|(?=$)") + ",\n        " +
         rule("variable.other.quoted.koi", "`[^`\\s]*`") + ",\n        " +
         rule("constant.numeric.instant.koi",
              "\\b\\d{4}-\\d{2}-\\d{2}(?:[T ]\\d{2}:\\d{2}(?::\\d{2})?"
              "(?:Z|[+-]\\d{2}:\\d{2})?)?|(?<![\\d:])\\d{1,2}[:：]\\d{2}(?![\\d])") +
         ",\n        " +
         rule("constant.numeric.koi",
              "(?:[¥￥$€£]|(?<![\\p{L}\\p{N}_])[A-Z]{3}[ \\t]+)?"
              "(?<![\\p{L}_\\d])\\d[\\d_]*(?:\\.\\d+)?[%％元]?") +
         ",\n        {\"include\": \"#words\"}\n      ]\n    },\n";
  out += "    \"words\": {\n      \"patterns\": [\n" + keywords + "\n      ]\n    },\n";
  out += "    \"in-text\": {\n      \"patterns\": [\n        " +
         rule("constant.character.escape.koi", "\\\\.|\\{\\{|\\}\\}") + ",\n        " + insertion +
         "\n      ]\n    }\n  }\n}\n";
  return out;
}

}  // namespace koi::cli
