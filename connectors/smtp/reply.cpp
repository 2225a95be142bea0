#include "smtp/reply.h"

#include <string_view>

namespace koi::connectors {

using namespace channel;
using To = net::MailAnswer::To;

namespace {

constexpr std::uint32_t full_mailbox_attempts = 5;

// "1.1" of "5.1.1".
std::string_view detail_of(const net::MailAnswer& answer) {
  return answer.enhanced.empty() ? std::string_view() : std::string_view(answer.enhanced).substr(2);
}

Failure failure_of_enhanced(std::string_view detail, int code) {
  for (const std::string_view sender : {"1.7", "1.8"})  // it does not like who sends
    if (detail == sender) return Failure::Credentials;
  if (detail == "4.5") return Failure::Quota;       // "daily user sending quota exceeded"
  if (detail == "2.3") return Failure::BadContent;  // too long for that mailbox
  if (detail.starts_with("1.") || detail.starts_with("2.") || detail.starts_with("4."))
    return Failure::Unreachable;
  // Policy: relaying, who we are, how we are known. That is not the person's fault, and seldom the
  // message's.
  if (detail.starts_with("7.")) return Failure::Credentials;
  if (detail.starts_with("0.") && (code == 550 || code == 551 || code == 553))
    return Failure::Unreachable;
  return Failure::BadContent;
}

Failure failure_of_code(const net::MailAnswer& answer) {
  if (answer.to == To::Greeting || answer.to == To::Login) return Failure::Credentials;
  switch (answer.code) {
    case 530:
    case 534:
    case 535:
    case 538: return Failure::Credentials;
    case 550:
    case 551:
    case 553:
    case 556:
      if (answer.to == To::Sender) return Failure::Credentials;
      if (answer.to == To::Recipient) return Failure::Unreachable;
      return Failure::BadContent;
    default: return Failure::BadContent;
  }
}

}  // namespace

Outcome outcome_of(const net::MailAnswer& answer, std::uint32_t attempt) {
  if (answer.taken) return Done{};
  // The words behind the codes may name the person.
  std::string why = "the server answered " + std::to_string(answer.code);
  if (!answer.enhanced.empty()) why += " " + answer.enhanced;
  switch (answer.to) {
    case To::Greeting: why += " to the greeting"; break;
    case To::Login: why += " to the login"; break;
    case To::Sender: why += " to the sender"; break;
    case To::Recipient: why += " to the recipient"; break;
    case To::Message: why += " to the message"; break;
  }
  const std::string_view detail = detail_of(answer);
  if (detail == "2.2") {
    if (attempt < full_mailbox_attempts)
      return Deferred{.why = why + ": the mailbox is full", .of_person = true};
    return Refused{Failure::Unreachable, why + ": the mailbox is still full"};
  }
  if (answer.code < 500) {
    // 421 closes the door on everyone; what is answered to a recipient, such as greylisting (450
    // and 451 4.7.1), is of one person.
    const bool throttled = answer.code == 421 && detail.starts_with("7.");
    const bool of_person = answer.code != 421 && answer.to == To::Recipient;
    return Deferred{.throttled = throttled, .why = std::move(why), .of_person = of_person};
  }
  const bool of_login = answer.code == 530 || answer.code == 534 || answer.code == 535 ||
                        answer.code == 538 || answer.to == To::Login;
  const Failure failure = of_login || detail.empty() ? failure_of_code(answer)
                                                     : failure_of_enhanced(detail, answer.code);
  return Refused{failure, std::move(why)};
}

}  // namespace koi::connectors
