// The text of an e-mail (RFC 5322, RFC 2045 to 2047, RFC 2369, RFC 8058). Whatever the texts hold,
// what comes out has no header but those that are meant, lines that end with CR LF and no other
// control character, and seven bits.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"

namespace koi::connectors {

// local@domain that plain SMTP carries: ASCII atoms with dots, at most 64 and 254 bytes; the domain
// is a name, or an address in brackets.
bool is_mail_address(std::string_view text);

struct Letter {
  std::string from_name, from, reply_to, to;  // addresses: is_mail_address; reply_to may be empty
  std::string subject;                        // may be empty
  std::string text;                           // plain
  std::string html;                           // a page; empty: none
  std::string id;           // of the message, unique: letters and digits; "@domain" follows
  std::string unsubscribe;  // an address to leave by, at most 900 bytes; empty: none
  Timestamp date;
};
std::string message_of(const Letter& letter);

// A page with the text in it: paragraphs where blank lines are, and the link below.
std::string page_of(std::string_view title, std::string_view body, std::string_view link);

// `text` as the value of a header that stands behind `used` columns (at most 40), folded; encoded
// words (RFC 2047) where it must be. A control character becomes a blank.
std::string header_text(std::string_view text, std::size_t used);

}  // namespace koi::connectors
