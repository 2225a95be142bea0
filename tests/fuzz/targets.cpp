#include "targets.h"

#include <algorithm>

#include "base/assert.h"
#include "check/check.h"
#include "compile/compile.h"
#include "format/format.h"
#include "lang/dump.h"
#include "lang/keywords.h"
#include "lang/parse.h"
#include "plan/listing.h"
#include "runtime/decode.h"

namespace koi::fuzz {
namespace {

bool has_error(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& each) { return each.severity == Severity::Error; });
}

// Every place is in the text, and each diagnostic can be shown.
void can_be_shown(const std::vector<Diagnostic>& diagnostics, const std::vector<Source>& sources,
                  Language language) {
  KOI_ASSERT(diagnostics.size() < 1'000'000);
  std::size_t shown = 0;
  for (const auto& each : diagnostics) {
    KOI_ASSERT(each.span.begin <= each.span.end);
    KOI_ASSERT(each.span.end <= sources[each.span.source].text().size());
    if (++shown > 20) continue;
    KOI_ASSERT(!render(each, sources, language).empty());
    KOI_ASSERT(!render_json(each, sources).empty());
  }
}

void parse(std::string_view input) {
  const std::vector<Source> sources{Source("fuzz.koi", std::string(input))};
  const auto english = lang::parse(sources[0], 0, Language::English);
  const auto chinese = lang::parse(sources[0], 0, Language::Chinese);
  can_be_shown(english.diagnostics, sources, Language::English);
  can_be_shown(chinese.diagnostics, sources, Language::Chinese);
  KOI_ASSERT(english.diagnostics.size() == chinese.diagnostics.size());
  const auto tree = lang::dump(english.file);
  KOI_ASSERT(tree == lang::dump(chinese.file));
}

void check(std::string_view input) {
  const std::vector<Source> sources{Source("fuzz.koi", std::string(input))};
  const auto parsed = lang::parse(sources[0], 0, Language::English);
  const auto checked = check::check({parsed.file}, Language::English);
  can_be_shown(checked.diagnostics, sources, Language::English);
  if (!has_error(parsed.diagnostics) && checked.ok()) {
    const auto plan = compile::compile(checked.program, 1);
    KOI_ASSERT(!plan::listing(plan).empty());
  }
}

void format(std::string_view input) {
  const Source source("fuzz.koi", std::string(input));
  format::Options declared;
  format::add_declared(source, declared.declared);
  for (const auto into : {std::optional<Language>(), std::optional(Language::English),
                          std::optional(Language::Chinese)}) {
    const format::Options options{.into = into, .declared = declared.declared};
    const auto once = format::format(source, 0, Language::English, options);
    if (has_error(once.diagnostics)) {
      KOI_ASSERT(once.text == input);
      continue;
    }
    KOI_ASSERT(once.done);
    const auto twice = format::format(Source("fuzz.koi", once.text), 0, Language::English, options);
    KOI_ASSERT(twice.done && twice.text == once.text);
  }
}

void decode(std::string_view input) {
  static const plan::Plan plan = [] {
    const Source source(
        "fuzz.koi",
        "customer { identify by phone, openid  on buy set phone = buy.phone }\n"
        "event buy \"买\" { amount: money  n: int = 0  x: number?  t: text?  b: bool?  d: date?\n"
        "  at_time: time?  i: instant?  w: duration?  e: enum(red \"红\", blue)?  l: list of "
        "text?\n"
        "  phone: phone?  mail: email?  u: url?  c: code? }\n"
        "event visit {}\n");
    const auto checked =
        check::check({lang::parse(source, 0, Language::English).file}, Language::English);
    KOI_ASSERT(checked.ok());
    return compile::compile(checked.program, 1);
  }();
  static runtime::Decoder decoder(plan);
  runtime::Incoming incoming;
  for (std::size_t at = 0; at < input.size();) {
    const auto end = std::min(input.find('\n', at), input.size());
    const auto line = input.substr(at, end - at);
    at = end + 1;
    const auto time = decoder.time_of(line);
    const auto decoded = decoder.decode(line, incoming);
    if (decoded == runtime::Decoded::Event) {
      KOI_ASSERT(time.has_value() && *time == incoming.event.time);
      KOI_ASSERT(incoming.event.fields.size() == plan.schema[incoming.event.type].fields.size());
    }
    if (decoded == runtime::Decoded::Rejected) KOI_ASSERT(!decoder.reason().empty());
  }
}

}  // namespace

const std::vector<Target>& targets() {
  static const std::vector<Target> all{
      {"parse", parse}, {"check", check}, {"format", format}, {"decode", decode}};
  return all;
}

const std::vector<std::string>& dictionary() {
  static const auto words = [] {
    std::vector<std::string> all{"{",
                                 "}",
                                 "(",
                                 ")",
                                 "[",
                                 "]",
                                 "｛",
                                 "｝",
                                 "（",
                                 "）",
                                 "“",
                                 "”",
                                 "\"",
                                 "\"\"\"",
                                 "`",
                                 "#",
                                 ",",
                                 ":",
                                 ";",
                                 "\n",
                                 "\n\n",
                                 " ",
                                 "、",
                                 "元",
                                 "￥5",
                                 "2026-03-02 10:00",
                                 "09:00",
                                 "30 days",
                                 "1st",
                                 "50%",
                                 "customer.",
                                 "a.b",
                                 "== ",
                                 "{x}",
                                 "\xE2\x80\xAE",
                                 "\xEF\xBB\xBF",
                                 "null",
                                 "true",
                                 "1e9",
                                 "-0.000001",
                                 "9223372036854775807",
                                 "\"time\":",
                                 "\"data\":{",
                                 "\\u0000",
                                 "[[[[[[[["};
    for (const auto& row : lang::word_table()) {
      if (!row.english.empty()) all.push_back(std::string(row.english) + " ");
      all.push_back(std::string(row.chinese) + " ");
    }
    return all;
  }();
  return words;
}

}  // namespace koi::fuzz
