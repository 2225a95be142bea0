#include "lang/keywords.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/assert.h"

namespace koi::lang {
namespace {

std::vector<std::string_view> parts(std::string_view text, char between) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const auto end = std::min(text.find(between), text.size());
    found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

std::vector<std::string_view> spellings(const Keyword& word) {
  auto all = word.others;
  if (!word.english.empty()) all.push_back(word.english);
  all.push_back(word.chinese);
  return all;
}

// Lookups only; nothing walks these tables.
using Words = std::unordered_map<std::string_view, Kind>;
using Phrases = std::unordered_map<std::string_view, std::vector<Phrase>>;

Words single_words() {
  Words words;
  for (const auto& each : keywords()) {
    for (const auto spelling : spellings(each)) {
      if (spelling.find(' ') != spelling.npos) continue;
      const bool is_new = words.emplace(spelling, each.kind).second;
      KOI_ASSERT(is_new);  // one spelling, one keyword
    }
  }
  return words;
}

Phrases phrase_table() {
  Phrases phrases;
  for (const auto& each : keywords()) {
    for (const auto spelling : spellings(each)) {
      auto words = parts(spelling, ' ');
      if (words.size() < 2) continue;
      const auto first = words.front();
      words.erase(words.begin());
      phrases[first].push_back({words, each.kind});
    }
  }
  for (auto& [first, found] : phrases) {
    std::stable_sort(found.begin(), found.end(), [](const Phrase& a, const Phrase& b) {
      return a.more.size() > b.more.size();
    });
  }
  return phrases;
}

struct OtherWord {
  std::string_view english;
  std::string_view chinese;
  std::string_view others;
};
constexpr std::array builtin_words{
#define KOI_BUILTIN_WORD(english, chinese, others, meaning) OtherWord{english, chinese, others},
#include "lang/keywords.def"
};

struct TypeWord {
  ast::TypeKind kind;
  OtherWord word;
};
constexpr std::array types{
#define KOI_TYPE_WORD(kind, english, chinese, others, meaning) \
  TypeWord{ast::TypeKind::kind, {english, chinese, others}},
#include "lang/keywords.def"
};

}  // namespace

const std::vector<Keyword>& keywords() {
  static const std::vector<Keyword> all{
#define KOI_KEYWORD(token, english, chinese, others, meaning) \
  {Kind::token, english, chinese, parts(others, '|'), meaning},
#include "lang/keywords.def"
  };
  return all;
}

const Keyword& keyword(Kind kind) {
  KOI_ASSERT(is_keyword(kind));
  return keywords()[static_cast<std::size_t>(kind) - static_cast<std::size_t>(Kind::SLASH) - 1];
}

const std::vector<WordRow>& word_table() {
  using What = WordRow::What;
  static const std::vector<WordRow> all{
#define KOI_WORD_GROUP(english, chinese) {What::Group, english, chinese},
#define KOI_KEYWORD(token, english, chinese, others, meaning) \
  {What::Keyword, english, chinese, parts(others, '|'), meaning},
#define KOI_BUILTIN_WORD(english, chinese, others, meaning) \
  {What::Builtin, english, chinese, parts(others, '|'), meaning},
#define KOI_TYPE_WORD(kind, english, chinese, others, meaning) \
  {What::Type, english, chinese, parts(others, '|'), meaning},
#include "lang/keywords.def"
  };
  return all;
}

std::optional<Kind> keyword_kind(std::string_view word) {
  static const auto words = single_words();
  const auto found = words.find(word);
  if (found == words.end()) return std::nullopt;
  return found->second;
}

const std::vector<Phrase>* phrases_of(std::string_view word) {
  static const auto phrases = phrase_table();
  const auto found = phrases.find(word);
  return found == phrases.end() ? nullptr : &found->second;
}

std::string_view builtin_word(std::string_view word) {
  static const auto table = [] {
    std::unordered_map<std::string_view, std::string_view> words;
    for (const auto& each : builtin_words) {
      words.emplace(each.english, each.english);
      words.emplace(each.chinese, each.english);
      for (const auto other : parts(each.others, '|')) words.emplace(other, each.english);
    }
    return words;
  }();
  const auto found = table.find(word);
  return found == table.end() ? std::string_view{} : found->second;
}

std::optional<ast::TypeKind> type_of_word(std::string_view word) {
  for (const auto& each : types) {
    if (word == each.word.english || word == each.word.chinese) return each.kind;
    for (const auto other : parts(each.word.others, '|')) {
      if (word == other) return each.kind;
    }
  }
  return std::nullopt;
}

const std::vector<std::string_view>& type_words() {
  static const auto words = [] {
    std::vector<std::string_view> all;
    for (const auto& each : types) all.push_back(each.word.english);
    return all;
  }();
  return words;
}

std::string_view type_word(ast::TypeKind kind) {
  for (const auto& each : types) {
    if (each.kind == kind) return each.word.english;
  }
  KOI_ASSERT(kind == ast::TypeKind::Enum);
  return "enum";
}

}  // namespace koi::lang
