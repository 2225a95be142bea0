#include "channel/xml.h"

#include <cstdint>
#include <optional>

namespace koi::channel {

namespace {

constexpr int deepest = 16;
constexpr int most_elements = 10'000;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == ':';
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

// Reads from the front of what is left; every step says whether it could.
class Parser {
 public:
  explicit Parser(std::string_view bytes) : rest_(bytes) {}

  bool document(XmlElement& root) {
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
    spaces();
    if (rest_.starts_with("<?xml") && !past("?>")) return false;
    return between() && element(root, 0) && between() && rest_.empty();
  }

 private:
  void spaces() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  // Behind the next `end`; what was before it is `passed_`.
  bool past(std::string_view end) {
    const std::size_t at = rest_.find(end);
    if (at == std::string_view::npos) return false;
    passed_ = rest_.substr(0, at);
    rest_.remove_prefix(at + end.size());
    return true;
  }
  bool between() {
    for (spaces(); take("<!--"); spaces())
      if (!past("-->")) return false;
    return true;
  }
  std::string_view name() {
    std::size_t size = 0;
    while (size < rest_.size() && is_name(rest_[size])) ++size;
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  bool attributes() {
    for (spaces(); !rest_.empty() && is_name(rest_.front()); spaces()) {
      name();
      spaces();
      if (!take("=")) return false;
      spaces();
      const std::string_view quote = rest_.substr(0, 1);
      if (quote != "\"" && quote != "'") return false;
      rest_.remove_prefix(1);
      if (!past(quote) || passed_.find('<') != std::string_view::npos) return false;
    }
    return true;
  }
  bool entity(std::string& out) {
    if (!past(";") || passed_.size() > 10) return false;
    if (passed_ == "lt") return out += '<', true;
    if (passed_ == "gt") return out += '>', true;
    if (passed_ == "amp") return out += '&', true;
    if (passed_ == "quot") return out += '"', true;
    if (passed_ == "apos") return out += '\'', true;
    if (!passed_.starts_with('#')) return false;
    const bool is_hex = passed_.starts_with("#x");
    std::uint32_t code = 0;
    const std::string_view digits = passed_.substr(is_hex ? 2 : 1);
    for (const char c : digits) {
      const int digit = c >= '0' && c <= '9'             ? c - '0'
                        : is_hex && c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : is_hex && c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                         : -1;
      if (digit < 0) return false;
      code = code * (is_hex ? 16 : 10) + static_cast<std::uint32_t>(digit);
      if (code > 0x10ffff) return false;
    }
    if (digits.empty() || code == 0 || (code >= 0xd800 && code < 0xe000)) return false;
    append_utf8(out, code);
    return true;
  }
  bool element(XmlElement& into, int depth) {
    if (depth >= deepest || ++elements_ > most_elements || !take("<")) return false;
    into.name = name();
    if (into.name.empty() || !attributes()) return false;
    if (take("/>")) return true;
    if (!take(">")) return false;
    while (!rest_.empty()) {
      if (take("</")) {
        if (name() != into.name) return false;
        spaces();
        return take(">");
      }
      if (take("<![CDATA[")) {
        if (!past("]]>")) return false;
        into.text += passed_;
      } else if (take("<!--")) {
        if (!past("-->")) return false;
      } else if (rest_.front() == '<') {
        if (!element(into.children.emplace_back(), depth + 1)) return false;
      } else if (take("&")) {
        if (!entity(into.text)) return false;
      } else {
        const std::size_t end = std::min(rest_.find_first_of("<&"), rest_.size());
        into.text += rest_.substr(0, end);
        rest_.remove_prefix(end);
      }
    }
    return false;
  }

  std::string_view rest_, passed_;
  int elements_ = 0;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view wanted) const {
  for (const XmlElement& each : children)
    if (each.name == wanted) return &each;
  return nullptr;
}

const std::string& XmlElement::text_of(std::string_view wanted) const {
  static const std::string none;
  const XmlElement* const found = child(wanted);
  return found ? found->text : none;
}

Result<XmlElement> parse_xml(std::string_view bytes) {
  XmlElement root;
  if (Parser(bytes).document(root)) return root;
  return Error{"xml", "this is no XML of plain elements"};
}

void append_xml(std::string& out, std::string_view name, std::string_view text) {
  out.append("<").append(name).append("><![CDATA[");
  for (std::size_t at = text.find("]]>"); at != std::string_view::npos; at = text.find("]]>")) {
    out.append(text.substr(0, at + 2)).append("]]><![CDATA[");
    text.remove_prefix(at + 2);
  }
  out.append(text).append("]]></").append(name).append(">");
}

}  // namespace koi::channel
