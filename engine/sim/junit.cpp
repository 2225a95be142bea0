// Results of tests as JUnit's XML, in the form that Jenkins and its like agree on.
#include <map>

#include "sim/run_tests.h"

namespace koi::sim {
namespace {

// XML 1.0, "Char": neither most controls nor what is no character can stand in it, escaped or not.
bool can_stand(char32_t c) {
  if (c < 0x20) return c == '\t' || c == '\n' || c == '\r';
  return c != not_a_character && (c & 0xFFFE) != 0xFFFE;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = decode_utf8(text, at);
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\t':
      case '\n':
      case '\r': out += "&#" + std::to_string(static_cast<int>(c)) + ";"; break;
      default: append_utf8(out, can_stand(c) ? c : 0xFFFD);
    }
  }
  return out;
}

std::string attribute(std::string_view name, std::string_view value) {
  return " " + std::string(name) + "=\"" + escaped(value) + "\"";
}

std::string counts(std::size_t tests, std::size_t failures) {
  return attribute("tests", std::to_string(tests)) +
         attribute("failures", std::to_string(failures)) + attribute("errors", "0");
}

struct Suite {
  std::size_t tests = 0, failures = 0;
  std::string cases;
};

}  // namespace

std::string render_junit(const std::vector<TestResult>& results,
                         const std::vector<Source>& sources) {
  std::map<std::uint32_t, Suite> suites;  // by the file's number
  std::size_t failures = 0;
  for (const TestResult& result : results) {
    const Source& source = sources[result.span.source];
    Suite& suite = suites[result.span.source];
    ++suite.tests;
    suite.cases += "    <testcase" + attribute("name", result.name) +
                   attribute("classname", source.path()) + attribute("file", source.path()) +
                   attribute("line", std::to_string(source.position(result.span.begin).line));
    if (result.passed()) {
      suite.cases += "/>\n";
      continue;
    }
    ++suite.failures;
    ++failures;
    const std::string expected =
        result.disappointments.empty() ? "" : result.disappointments.front().expected;
    suite.cases += ">\n      <failure" + attribute("message", "expected: " + expected) + ">" +
                   escaped(render(result, sources)) + "</failure>\n    </testcase>\n";
  }
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" +
                    attribute("name", "koi") + counts(results.size(), failures) + ">\n";
  for (const auto& [source, suite] : suites)
    out += "  <testsuite" + attribute("name", sources[source].path()) +
           counts(suite.tests, suite.failures) + ">\n" + suite.cases + "  </testsuite>\n";
  return out + "</testsuites>\n";
}

}  // namespace koi::sim
