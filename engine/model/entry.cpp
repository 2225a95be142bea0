#include "model/entry.h"

#include <algorithm>

#include "base/assert.h"

namespace koi {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_blank_or_control(char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; }
bool has_blank(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_blank_or_control);
}

std::optional<std::string_view> phone(std::string_view text, std::string& room) {
  room.clear();
  std::size_t digits = 0;
  for (const char c : text) {
    if (is_digit(c)) {
      room.push_back(c);
      if (++digits > 15) return std::nullopt;
    } else if (c == '+') {
      if (!room.empty()) return std::nullopt;
      room.push_back(c);
    } else if (c != ' ' && c != '-' && c != '.' && c != '(' && c != ')') {
      return std::nullopt;
    }
  }
  if (digits < 5) return std::nullopt;
  return room == text ? text : std::string_view(room);
}

// The labels of a host name: letters, digits, hyphens inside, or anything beyond ASCII.
bool is_host(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= host.size(); ++i) {
    if (i < host.size() && host[i] != '.') {
      const char c = host[i];
      if (!is_letter(c) && !is_digit(c) && c != '-' && static_cast<unsigned char>(c) < 0x80)
        return false;
      continue;
    }
    if (i == begin || host[begin] == '-' || host[i - 1] == '-') return false;
    begin = i + 1;
  }
  return true;
}

std::optional<std::string_view> email(std::string_view text, std::string& room) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64 || text.size() > 254) return std::nullopt;
  const std::string_view local = text.substr(0, at), domain = text.substr(at + 1);
  if (has_blank(text) || local.find_first_of("@\"(),:;<>[\\]") != std::string_view::npos ||
      local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos ||
      domain.find('.') == std::string_view::npos || !is_host(domain))
    return std::nullopt;
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (std::none_of(text.begin(), text.end(), is_upper)) return text;
  room.assign(text);
  for (char& c : room)
    if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
  return std::string_view(room);
}

std::optional<std::string_view> url(std::string_view text) {
  if (text.size() > 2048 || has_blank(text)) return std::nullopt;
  std::string_view rest = text;
  if (rest.starts_with("https://"))
    rest.remove_prefix(8);
  else if (rest.starts_with("http://"))
    rest.remove_prefix(7);
  else
    return std::nullopt;
  std::string_view host = rest.substr(0, rest.find_first_of("/?#"));
  if (const auto port = host.find(':'); port != std::string_view::npos) {
    const std::string_view digits = host.substr(port + 1);
    if (digits.empty() || digits.size() > 5 || !std::all_of(digits.begin(), digits.end(), is_digit))
      return std::nullopt;
    host = host.substr(0, port);
  }
  if (!is_host(host)) return std::nullopt;
  return text;
}

std::optional<std::string_view> code(std::string_view text) {
  const auto fits = [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; };
  if (text.empty() || text.size() > 64 || !std::all_of(text.begin(), text.end(), fits))
    return std::nullopt;
  return text;
}

}  // namespace

std::optional<std::string_view> entry_of(TextKind kind, std::string_view text, std::string& room) {
  switch (kind) {
    case TextKind::Plain: return text;
    case TextKind::Phone: return phone(text, room);
    case TextKind::Email: return email(text, room);
    case TextKind::Url: return url(text);
    case TextKind::Code: return code(text);
  }
  KOI_ASSERT(false);
}

std::string_view description_of(TextKind kind) {
  switch (kind) {
    case TextKind::Plain: return "a text";
    case TextKind::Phone: return "a phone number (5 to 15 digits, a + before a country code)";
    case TextKind::Email: return "an email address (name@example.com)";
    case TextKind::Url: return "an address that begins with https:// or http://";
    case TextKind::Code: return "a code (1 to 64 letters, digits, - and _)";
  }
  KOI_ASSERT(false);
}

}  // namespace koi
