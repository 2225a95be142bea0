#include "smtp/message.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/html.h"
#include "base/source.h"
#include "channel/crypto.h"

namespace koi::connectors {

namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 5322, 3.2.3.
bool is_atom_character(char c) {
  return is_letter_or_digit(c) ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string::npos;
}

// Valid UTF-8 without control characters, but for line breaks and tabs where they are kept; a line
// break is CR LF.
std::string clean(std::string_view text, bool keep_lines) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (keep_lines && (text[at] == '\r' || text[at] == '\n')) {
      at += text.substr(at).starts_with("\r\n") ? 2 : 1;
      out += "\r\n";
      continue;
    }
    if (keep_lines && text[at] == '\t') {
      out += text[at++];
      continue;
    }
    const char32_t character = decode_utf8(text, at);
    const bool control = character < 0x20 || (character >= 0x7f && character < 0xa0) ||
                         character == 0x2028 || character == 0x2029;
    append_utf8(out, control ? U' ' : character);
  }
  return out;
}

// RFC 2045, 6.7. `text` has CR LF at line ends.
std::string quoted_printable(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("\r\n")) {
      out += "\r\n";
      column = 0;
      ++i;
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool at_end = i + 1 == text.size() || text[i + 1] == '\r';
    const bool plain =
        (byte > 0x20 && byte < 0x7f && byte != '=') || ((byte == ' ' || byte == '\t') && !at_end);
    if (column + (plain ? 1 : 3) > 75) {
      out += "=\r\n";
      column = 0;
    }
    if (plain) {
      out += text[i];
    } else {
      out += '=';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
    column += plain ? 1 : 3;
  }
  return out;
}

// One part with its headers, in the shorter of the two encodings.
std::string part(std::string_view type, std::string_view text) {
  const std::string lines = clean(text, true);
  std::string encoded = quoted_printable(lines);
  std::string head = "Content-Type: ";
  head.append(type).append("; charset=utf-8\r\nContent-Transfer-Encoding: ");
  if (encoded.size() <= (lines.size() + 2) / 3 * 4) {
    head += "quoted-printable";
  } else {
    head += "base64";
    const std::string all = channel::base64(lines);
    encoded.clear();
    for (std::size_t at = 0; at < all.size(); at += 76)
      encoded.append(at ? "\r\n" : "").append(all, at, 76);
  }
  return head + "\r\n\r\n" + encoded + "\r\n";
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x7f; });
}

// Each word holds whole characters, and no line is longer than 76 columns (RFC 2047, 2). `used` is
// at most 40, so that each line has room for a character.
std::string encoded_words(std::string_view text, std::size_t used) {
  KOI_ASSERT(used <= 40);
  constexpr std::size_t frame = 12;  // =?utf-8?B? and ?=
  std::string out;
  std::size_t column = used;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t room = (76 - frame - column) / 4 * 3;
    std::size_t end = at;
    for (std::size_t next = at; next < text.size() && next - at <= room;) {
      end = next;
      decode_utf8(text, next);
      if (next - at <= room) end = next;
    }
    out.append(at ? "\r\n " : "").append("=?utf-8?B?");
    out.append(channel::base64(text.substr(at, end - at))).append("?=");
    at = end;
    column = 1;
  }
  return out;
}

std::string mailbox(std::string_view name, const std::string& address, std::size_t used) {
  const std::string shown = clean(name, false);
  if (shown.empty()) return address;
  std::string phrase;
  if (shown.size() <= 60 && is_ascii(shown)) {
    for (const char c : shown) phrase.append(c == '"' || c == '\\' ? "\\" : "").append(1, c);
    phrase = '"' + phrase + '"';
  } else {
    phrase = encoded_words(shown, used);
  }
  return phrase + "\r\n <" + address + ">";
}

// RFC 5322, 3.3.
std::string date_of(Timestamp at) {
  constexpr std::array days{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const LocalTime local = utc().local(at);
  const YearMonthDay day = civil(local.date);
  const std::int64_t second = local.time.us / 1'000'000;
  const auto two = [](std::int64_t number) {
    return (number < 10 ? "0" : "") + std::to_string(number);
  };
  std::string text = days[static_cast<std::size_t>(weekday(local.date))];
  text.append(", ").append(std::to_string(day.day)).append(" ");
  text.append(months[static_cast<std::size_t>(day.month - 1)]).append(" ");
  text += std::to_string(day.year) + " " + two(second / 3600) + ":" + two(second / 60 % 60) + ":" +
          two(second % 60);
  return text + " +0000";
}

}  // namespace

bool is_mail_address(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || text.size() > 254) return false;
  const auto atoms = [](std::string_view whole, const auto& may_hold) {
    bool fine = !whole.empty() && whole.front() != '.' && whole.back() != '.';
    for (std::size_t i = 0; i < whole.size(); ++i)
      fine = fine && (may_hold(whole[i]) || (whole[i] == '.' && whole[i - 1] != '.'));
    return fine;
  };
  if (!atoms(text.substr(0, at), is_atom_character)) return false;
  std::string_view domain = text.substr(at + 1);
  if (domain.size() > 2 && domain.front() == '[' && domain.back() == ']') {
    domain = domain.substr(1, domain.size() - 2);
    return std::all_of(domain.begin(), domain.end(),
                       [](char c) { return is_letter_or_digit(c) || c == '.' || c == ':'; });
  }
  return atoms(domain, [](char c) { return is_letter_or_digit(c) || c == '-'; });
}

std::string header_text(std::string_view text, std::size_t used) {
  const std::string shown = clean(text, false);
  // As it is, where that is short, ASCII, and could not be taken for an encoded word.
  const bool plain = used + shown.size() <= 76 && shown.find("=?") == std::string::npos &&
                     !shown.starts_with(' ') && !shown.ends_with(' ') && is_ascii(shown);
  return plain ? shown : encoded_words(shown, used);
}

std::string page_of(std::string_view title, std::string_view body, std::string_view link) {
  std::string page = "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><title>";
  page += escaped_html(title) + "</title></head>\n<body>\n";
  const std::string lines = clean(body, true);
  std::string_view rest = lines;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find("\r\n\r\n"), rest.size());
    std::string_view paragraph = rest.substr(0, end);
    rest.remove_prefix(std::min(rest.size(), end + 4));
    while (rest.starts_with("\r\n")) rest.remove_prefix(2);
    page += "<p>";
    while (true) {
      const std::size_t line = std::min(paragraph.find("\r\n"), paragraph.size());
      page += escaped_html(paragraph.substr(0, line));
      if (line == paragraph.size()) break;
      page += "<br>\n";
      paragraph.remove_prefix(line + 2);
    }
    page += "</p>\n";
  }
  if (link.starts_with("https://") || link.starts_with("http://")) {
    const std::string address = escaped_html(link);
    page += "<p><a href=\"" + address + "\">" + address + "</a></p>\n";
  }
  return page + "</body>\n</html>\n";
}

std::string message_of(const Letter& letter) {
  std::string out;
  const auto header = [&](std::string_view name, const std::string& value) {
    out.append(name).append(": ").append(value).append("\r\n");
  };
  header("Date", date_of(letter.date));
  header("From", mailbox(letter.from_name, letter.from, 6));
  header("To", letter.to);
  if (!letter.reply_to.empty()) header("Reply-To", letter.reply_to);
  if (!letter.subject.empty()) header("Subject", header_text(letter.subject, 9));
  header("Message-ID", "<" + letter.id + letter.from.substr(letter.from.rfind('@')) + ">");
  if (!letter.unsubscribe.empty()) {
    header("List-Unsubscribe", "\r\n <" + letter.unsubscribe + ">");
    // Without https it would have no effect (RFC 8058, 3.1).
    if (letter.unsubscribe.starts_with("https://"))
      header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
  }
  header("MIME-Version", "1.0");
  if (letter.html.empty()) return out + part("text/plain", letter.text);

  // Neither encoding can make "=_", so no part can hold the line between the parts.
  const std::string between = "=_koi_" + letter.id;
  header("Content-Type", "multipart/alternative;\r\n boundary=\"" + between + "\"");
  out += "\r\n--" + between + "\r\n" + part("text/plain", letter.text);
  out += "--" + between + "\r\n" + part("text/html", letter.html);
  return out + "--" + between + "--\r\n";
}

}  // namespace koi::connectors
