#include "lang/diagnostics.h"

#include "base/assert.h"

namespace koi::lang {
namespace {

// The template with its places filled; a brace that is no place stands for itself.
std::string fill(std::string_view words, std::initializer_list<std::string> arguments) {
  std::string text;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const bool is_place = words[at] == '{' && at + 2 < words.size() && words[at + 1] >= '0' &&
                          words[at + 1] <= '9' && words[at + 2] == '}';
    if (!is_place) {
      text += words[at];
      continue;
    }
    const auto index = static_cast<std::size_t>(words[at + 1] - '0');
    KOI_ASSERT(index < arguments.size());
    text += arguments.begin()[index];
    at += 2;
  }
  return text;
}

}  // namespace

const std::vector<CatalogueEntry>& catalogue() {
  static const std::vector<CatalogueEntry> all{
#define KOI_DIAGNOSTIC(code, name, severity, english, chinese, help, help_chinese) \
  {Code::name, #code, Severity::severity, english, chinese, help, help_chinese},
#include "lang/diagnostics.def"
#undef KOI_DIAGNOSTIC
  };
  return all;
}

const CatalogueEntry& entry(Code code) { return catalogue()[static_cast<std::size_t>(code)]; }

Diagnostic make(Code code, SourceSpan span, Language language,
                std::initializer_list<std::string> arguments) {
  const auto& words = entry(code);
  const bool english = language == Language::English;
  return {.code = std::string(words.text),
          .severity = words.severity,
          .span = span,
          .message = fill(english ? words.english : words.chinese, arguments),
          .labels = {},
          .help = fill(english ? words.help_english : words.help_chinese, arguments),
          .replacement = {}};
}

}  // namespace koi::lang
