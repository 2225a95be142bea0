#include "sim/run_tests.h"

#include "base/json.h"

namespace koi::sim {

namespace {

struct Place {
  std::string file;
  Source::Position position{0, 0};
};

Place place_of(SourceSpan span, const std::vector<Source>& sources) {
  if (span.source >= sources.size()) return {};
  const Source& source = sources[span.source];
  return {source.path(), source.position(span.begin)};
}

std::string to_text(const Place& place) {
  return place.file + ":" + std::to_string(place.position.line) + ":" +
         std::to_string(place.position.column);
}

void append_lines(std::string& out, std::string_view heading,
                  const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  out.append("    ").append(heading).append(":\n");
  for (const std::string& line : lines) out.append("      ").append(line).append("\n");
}

void append_json_list(std::string& out, const std::vector<std::string>& texts) {
  out += '[';
  for (const std::string& text : texts) {
    if (&text != &texts.front()) out += ',';
    append_json_string(out, text);
  }
  out += ']';
}

}  // namespace

std::vector<TestResult> run_tests(const check::Program& program, const plan::Plan& plan,
                                  std::string_view filter, core::Trace* trace) {
  const match::Index index = match::Index::build(plan);
  std::vector<TestResult> results;
  for (const check::Test& test : program.tests)
    if (test.name.find(filter) != std::string::npos)
      results.push_back(play(program, plan, index, test, trace));
  return results;
}

std::string render(const TestResult& result, const std::vector<Source>& sources) {
  if (result.passed()) return {};
  std::string out = "failed: " + result.name + "\n";
  for (const Disappointment& each : result.disappointments) {
    out += "  " + to_text(place_of(each.span, sources)) + "  expected: " + each.expected + "\n";
    append_lines(out, "instead", each.near);
    append_lines(out, "was done", each.done);
    if (each.done.empty()) out += "    nothing was done\n";
  }
  return out;
}

std::string render_json(const TestResult& result, const std::vector<Source>& sources) {
  const Place test = place_of(result.span, sources);
  std::string out = "{\"test\":";
  append_json_string(out, result.name);
  out += ",\"file\":";
  append_json_string(out, test.file);
  out += ",\"line\":" + std::to_string(test.position.line);
  out += result.passed() ? ",\"passed\":true" : ",\"passed\":false";
  out += ",\"failures\":[";
  for (const Disappointment& each : result.disappointments) {
    if (&each != &result.disappointments.front()) out += ',';
    const Place place = place_of(each.span, sources);
    out += "{\"file\":";
    append_json_string(out, place.file);
    out += ",\"line\":" + std::to_string(place.position.line);
    out += ",\"column\":" + std::to_string(place.position.column);
    out += ",\"expected\":";
    append_json_string(out, each.expected);
    out += ",\"near\":";
    append_json_list(out, each.near);
    out += ",\"done\":";
    append_json_list(out, each.done);
    out += '}';
  }
  return out + "]}";
}

}  // namespace koi::sim
