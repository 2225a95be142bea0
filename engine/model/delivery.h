// Delivery: one message on its way to one person, as the outbox hands it to a connector. It holds
// personal data (who, what is said); what is printed of it holds none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/time.h"

namespace koi {

// How the person is known where he is to be reached: {"phone", "+8613800138000"}.
struct Address {
  std::string kind;
  std::string value;
  friend bool operator==(const Address&, const Address&) = default;
};

// Money that a delivery pays to the person, where its channel is a payment provider's.
struct Payout {
  std::int64_t amount = 0;  // in minor units of `currency`; above 0
  std::string currency;     // "CNY"
  std::string remark;       // as he will read it beside the amount
  friend bool operator==(const Payout&, const Payout&) = default;
};

struct Delivery {
  Hash128 key;  // of the effect: the same in every replay and every attempt
  std::string customer;
  std::vector<Address> addresses;  // what the channel reaches him by; empty where it needs nothing
  std::string channel;             // as the program names it
  std::string campaign;
  std::string content;
  std::string title, body, link;  // as he will read them; empty where there is none
  // The provider's own template that the rules name, and what is put into it, by name; else empty.
  std::string provider_template{};
  std::vector<std::pair<std::string, std::string>> values{};
  std::string
      reply_to;  // of an answer: the id of the event that it answers, as it came in; else empty
  std::optional<Payout> payout;  // paid to whom the addresses name; most have none
  // Addresses of this deployment, put in on the way out where it has a public one; empty: none.
  std::string opened_mark;  // a picture: fetching it says that the message was looked at
  std::string unsubscribe;  // where the person leaves, by one POST (RFC 8058) or a page
  // To the staff: until when somebody is to say, at its link, that he takes it.
  Timestamp take_by = Timestamp::never();
  Timestamp not_before = Timestamp::ever();  // never handed over earlier
  Timestamp not_after = Timestamp::never();  // handed over later it is worth nothing
  std::uint32_t attempt = 1;                 // 1 at the first
  // If it fails the rules try another channel: it need not wait for what this one has too few of.
  bool has_another_way = false;
  friend bool operator==(const Delivery&, const Delivery&) = default;
};

// For logs: key, channel, campaign, content and attempt, nothing of the person nor of the texts.
std::string to_string(const Delivery& delivery);

}  // namespace koi
