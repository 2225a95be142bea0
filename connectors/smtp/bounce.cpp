#include "smtp/bounce.h"

#include <algorithm>
#include <cstdint>

namespace koi::connectors {

namespace {

constexpr int deepest = 4;
constexpr std::size_t most_parts = 20, most_recipients = 200;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}
std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// One line without its end, taken from the front.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

struct Field {
  std::string name, value;  // the name in lower case, the value unfolded
};
// The fields up to an empty line, which is taken too.
std::vector<Field> take_fields(std::string_view& text) {
  std::vector<Field> fields;
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty()) break;
    if (line.front() == ' ' || line.front() == '\t') {
      if (!fields.empty()) fields.back().value.append(" ").append(trimmed(line));
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    fields.push_back(
        {lowered(trimmed(line.substr(0, colon))), std::string(trimmed(line.substr(colon + 1)))});
  }
  return fields;
}
std::string value_of(const std::vector<Field>& fields, std::string_view name) {
  for (const Field& field : fields)
    if (field.name == name) return field.value;
  return {};
}

// The value of `boundary=`, quoted or not.
std::string boundary_of(const std::string& content_type) {
  const std::size_t at = lowered(content_type).find("boundary=");
  if (at == std::string::npos) return {};
  std::string_view rest = std::string_view(content_type).substr(at + 9);
  if (rest.starts_with('"')) {
    rest.remove_prefix(1);
    return std::string(rest.substr(0, rest.find('"')));
  }
  return std::string(rest.substr(0, rest.find_first_of("; \t")));
}

// "rfc822; ann@example.com", "<ann@example.com>" or "Ann <ann@example.com>": the address.
std::string address_of(std::string value) {
  if (const std::size_t kind = value.find(';'); kind != std::string::npos) value.erase(0, kind + 1);
  const std::size_t open = value.rfind('<'), close = value.rfind('>');
  if (open != std::string::npos && close != std::string::npos && open < close)
    value = value.substr(open + 1, close - open - 1);
  value = trimmed(value);
  if (value.size() > 254 || value.find('@') == std::string::npos ||
      value.find_first_of(" \t,<>") != std::string::npos)
    return {};
  return value;
}

// What the parts of a report say together.
struct Report {
  std::vector<std::vector<Field>> recipients;  // of a delivery-status
  std::vector<Field> feedback;
  std::string person, mark;  // of the mail itself, as it came back
};

void read_returned(std::string_view text, Report& into) {
  const auto fields = take_fields(text);
  into.person = address_of(value_of(fields, "to"));
  const std::string id = value_of(fields, "message-id");
  const std::size_t open = id.find('<'), at = id.find('@');
  if (open != std::string::npos && at != std::string::npos && open < at)
    into.mark = id.substr(open + 1, at - open - 1);
}

void read_part(std::string_view text, int depth, std::size_t& parts, Report& into) {
  if (depth > deepest || ++parts > most_parts) return;
  std::string_view body = text;
  const auto fields = take_fields(body);
  const std::string type_value = value_of(fields, "content-type"), type = lowered(type_value);
  if (type.starts_with("message/delivery-status")) {
    take_fields(body);  // of the mail as a whole
    while (!trimmed(body).empty() && into.recipients.size() < most_recipients)
      if (auto recipient = take_fields(body); !recipient.empty())
        into.recipients.push_back(std::move(recipient));
  } else if (type.starts_with("message/feedback-report")) {
    into.feedback = take_fields(body);
  } else if (type.starts_with("message/rfc822") || type.starts_with("text/rfc822-headers")) {
    read_returned(body, into);
  } else if (type.starts_with("multipart/")) {
    const std::string boundary = "--" + boundary_of(type_value);
    if (boundary.size() < 3) return;
    std::string_view rest = body, part;
    bool is_in_part = false;
    const char* begin = nullptr;
    while (!rest.empty()) {
      const char* const here = rest.data();
      const std::string_view line = take_line(rest);
      if (!line.starts_with(boundary)) continue;
      if (is_in_part) {
        part = std::string_view(begin, static_cast<std::size_t>(here - begin));
        read_part(part, depth + 1, parts, into);
      }
      if (line.substr(boundary.size()).starts_with("--")) return;
      is_in_part = true;
      begin = rest.data();
    }
    if (is_in_part)  // what was cut off
      read_part(
          std::string_view(begin, static_cast<std::size_t>(body.data() + body.size() - begin)),
          depth + 1, parts, into);
  }
}

}  // namespace

std::vector<Bounce> bounces_in(std::string_view mail) {
  Report report;
  std::size_t parts = 0;
  read_part(mail, 0, parts, report);
  std::vector<Bounce> all;
  const auto person_of = [&](const std::vector<Field>& fields,
                             std::initializer_list<std::string_view> names) {
    // The mail itself says best whom it was for; the rest may be where it was forwarded to.
    if (!report.person.empty()) return report.person;
    for (const std::string_view name : names)
      if (std::string person = address_of(value_of(fields, name)); !person.empty()) return person;
    return std::string();
  };
  for (const auto& recipient : report.recipients) {
    const std::string action = lowered(value_of(recipient, "action"));
    if (action != "failed" && action != "delivered") continue;
    const std::string status = value_of(recipient, "status");
    all.push_back({action == "failed" ? Bounce::What::Failed : Bounce::What::Delivered,
                   person_of(recipient, {"original-recipient", "final-recipient"}),
                   status.substr(0, status.find(' ')), report.mark});
  }
  if (!report.feedback.empty()) {
    const std::string type = lowered(value_of(report.feedback, "feedback-type"));
    // "not-spam" takes a complaint back; what else there is complains.
    if (type != "not-spam")
      all.push_back({Bounce::What::Complaint,
                     person_of(report.feedback, {"original-rcpt-to", "removal-recipient"}), "",
                     report.mark});
  }
  std::erase_if(all, [](const Bounce& bounce) { return bounce.person.empty(); });
  return all;
}

}  // namespace koi::connectors
