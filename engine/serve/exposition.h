// Exposition: Prometheus' text format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace koi::serve {

// Label values escape the backslash, the quote and the line feed, and nothing else.
inline std::string label(std::string_view name, std::string_view value) {
  std::string out(name);
  out += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + '"';
}

class Exposition {
 public:
  // All values of a family follow it; the name must outlive them.
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    out_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
    out_.append(name).append(" ").append(type).append("\n");
  }
  void value(std::uint64_t value, std::string_view labels = {}) {
    this->value(std::to_string(value), labels);
  }
  void value(std::string_view number, std::string_view labels) {
    out_ += name_;
    if (!labels.empty()) out_.append("{").append(labels).append("}");
    out_.append(" ").append(number).append("\n");
  }
  void one(std::string_view name, std::string_view type, std::string_view help,
           std::uint64_t only) {
    family(name, type, help);
    value(only);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
  std::string_view name_;
};

}  // namespace koi::serve
