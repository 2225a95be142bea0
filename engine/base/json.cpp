#include "base/json.h"

#include "base/source.h"

namespace koi {

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  out.push_back('"');
  std::size_t copied = 0;  // what lies before is in `out`
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    if (decode_utf8(text, at) != not_a_character && byte >= 0x80) continue;
    out.append(text, copied, begin - copied);
    copied = at;
    switch (byte) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (byte >= 0x80) {
          append_utf8(out, 0xfffd);
        } else {
          out += "\\u00";
          out += digits[byte >> 4];
          out += digits[byte & 15];
        }
    }
  }
  out.append(text, copied);
  out.push_back('"');
}

}  // namespace koi
