// The catalogue of diagnostics: every code with its words in both languages (diagnostics.def).
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"

namespace koi::lang {

enum class Code {
#define KOI_DIAGNOSTIC(code, name, severity, english, chinese, help, help_chinese) name,
#include "lang/diagnostics.def"
#undef KOI_DIAGNOSTIC
};

struct CatalogueEntry {
  Code code;
  std::string_view text;  // "K0203"
  Severity severity;
  std::string_view english;
  std::string_view chinese;
  std::string_view help_english;
  std::string_view help_chinese;
};

// All codes, in the order of the catalogue.
const std::vector<CatalogueEntry>& catalogue();
const CatalogueEntry& entry(Code code);

// The diagnostic in the reader's language, with `arguments` in the places of {0}, {1}, … of message
// and help. Labels and replacement are the caller's to add.
Diagnostic make(Code code, SourceSpan span, Language language,
                std::initializer_list<std::string> arguments = {});

}  // namespace koi::lang
