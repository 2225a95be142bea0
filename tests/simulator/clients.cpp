#include "clients.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "json.h"

namespace koi::simulator {

namespace {

// When the source says that it happened, by a clock of its own.
Timestamp time_by_its_own_clock(Chance& chance, Timestamp now) {
  const auto up_to = [&](Duration most) {
    return microseconds(
        static_cast<std::int64_t>(chance.below(static_cast<std::uint64_t>(most.us) + 1)));
  };
  switch (chance.below(20)) {
    case 0: return now - up_to(hours(3));
    case 1: return now - up_to(hours(1));
    case 2: return now - up_to(days(9));
    case 3: return now + up_to(days(1));
    case 4: return now + up_to(minutes(5));
    case 5: return {now.us - now.us % hours(1).us};  // the same instant as others
    default: return now - up_to(seconds(5));
  }
}

}  // namespace

Clients::Clients(Chance chance, Record& record, bool changes_ids, bool meets, Invite invite)
    : chance_(chance),
      record_(record),
      changes_ids_(changes_ids),
      meets_(meets),
      invite_(std::move(invite)),
      people_(chance_.between(1, 8)) {}

void Clients::remember() {
  remembered_.clear();
  for (const Told& told : told_) remembered_.push_back(told.came.size());
}

void Clients::take_back() {
  for (std::size_t i = 0; i < told_.size(); ++i)
    told_[i].came.resize(i < remembered_.size() ? remembered_[i] : 0);
}

void Clients::read(const std::string& body) {
  constexpr std::string_view before = "code ";
  if (invite_ && body.starts_with(before)) codes_.push_back(body.substr(before.size()));
}

std::string Clients::data_of_money(std::string& type) {
  switch (chance_.below(6)) {
    case 0: type = "refund"; return {};
    case 1:
    case 2:
      type = "visit";
      return "\"invited_by\":" + json(invite_("c" + std::to_string(chance_.below(people_))));
    default: {
      if (codes_.empty()) break;
      const std::string& code = chance_.pick(codes_);
      type = code.starts_with("TEN") ? "redeemed" : "claimed";
      std::string data = "\"code\":" + json(code);
      if (type == "redeemed" && chance_.one_in(2)) data += ",\"amount\":\"4.00\"";
      return data;
    }
  }
  type = "claimed";
  return "\"incentive\":\"hello\"";
}

std::string Clients::phone(std::uint64_t person) const {
  return "+861380000000" + std::to_string(person);
}

std::string Clients::subject() {
  const std::uint64_t person = chance_.below(people_);
  switch (chance_.below(5)) {
    case 0: return "phone:" + phone(person);
    case 1:
    case 2: return "wechat_openid:o" + std::to_string(person);
    default: return "c" + std::to_string(person);
  }
}

std::string Clients::data(std::string& type) {
  if (invite_ && chance_.one_in(3)) return data_of_money(type);
  const std::string sku = json("s" + std::to_string(chance_.below(3)));
  const std::string money = json(std::to_string(chance_.between(1, 60)) + ".50");
  switch (chance_.below(14)) {
    case 0:
    case 1: {
      type = "register";
      std::string data = "\"city\":\"Hangzhou\"";
      if (chance_.one_in(2)) data += ",\"name\":\"n" + std::to_string(chance_.below(5)) + "\"";
      // Now and then somebody else's.
      if (chance_.one_in(2)) {
        const std::string said = json(phone(chance_.below(people_)));
        if (meets_) data += ",\"phone\":" + said;
      }
      return data;
    }
    case 2:
    case 3:
    case 4: type = "page_view"; return "\"page\":\"p\"";
    case 5:
    case 6:
    case 7: type = "add_to_cart"; return "\"sku\":" + sku + ",\"price\":" + money;
    case 8:
    case 9:
    case 10:
      type = "purchase";
      return "\"order\":\"o" + std::to_string(told_.size()) + "\",\"amount\":" + money +
             (chance_.one_in(3) ? "" : ",\"sku\":" + sku);
    case 11: type = "unsubscribed"; return "\"purpose\":\"marketing\"";
    default: type = "consented"; return "\"purpose\":\"marketing\"";
  }
}

void Clients::make(Timestamp now) {
  Told& told = told_.emplace_back();
  told.id = "e" + std::to_string(told_.size());
  if (chance_.one_in(40)) {
    static constexpr std::array<std::string_view, 5> nonsense{
        R"({"id":"x","type":"page_view","time":"never","subject":"c1","data":{}})",
        R"({"id":"x","type":"dance","time":"2026-03-02T10:00:00Z","subject":"c1","data":{}})",
        R"({"id":"x","type":"purchase","time":"2026-03-02T10:00:00Z","subject":"c1","data":{"order":3}})",
        R"({"id":"","type":"page_view","time":"2026-03-02T10:00:00Z","subject":"c1"})",
        "\"\\ud800\""};
    told.is_good = false;
    told.rest = nonsense[chance_.below(nonsense.size())];
    return;
  }
  std::string type;
  const std::string fields = data(type);
  told.rest = ",\"type\":" + json(type) +
              ",\"time\":" + json(to_string(time_by_its_own_clock(chance_, now), utc())) +
              ",\"subject\":" + json(subject()) + ",\"data\":{" + fields + "}}";
}

std::vector<std::size_t> Clients::choose() {
  std::vector<std::size_t> which;
  for (std::uint64_t left = chance_.between(1, 5); left > 0; --left) {
    // The last ones most of the time, else anything that ever was.
    const std::size_t recent = std::min<std::size_t>(told_.size(), 6);
    const std::size_t from = chance_.one_in(6) ? 0 : told_.size() - recent;
    const std::size_t at = from + static_cast<std::size_t>(chance_.below(told_.size() - from));
    if (!told_[at].is_safe() || chance_.one_in(4)) which.push_back(at);
  }
  return which;
}

std::vector<std::size_t> Clients::unanswered(std::size_t limit) const {
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < told_.size() && which.size() < limit; ++i)
    if (!told_[i].is_safe()) which.push_back(i);
  return which;
}

std::string Clients::body(const std::vector<std::size_t>& which, bool is_lines) {
  std::string body = is_lines ? "" : "[";
  for (std::size_t i = 0; i < which.size(); ++i) {
    if (i > 0) body += is_lines ? "\n" : ",";
    Told& told = told_[which[i]];
    const std::string id = ++told.sendings == 1 || !changes_ids_
                               ? told.id
                               : told.id + "#" + std::to_string(told.sendings);
    body += told.is_good ? "{\"id\":" + json(id) + told.rest : told.rest;
  }
  return is_lines ? body : body + "]";
}

void Clients::answered(const std::vector<std::size_t>& which,
                       const std::vector<serve::LineResult>& came) {
  if (which.size() != came.size())
    return record_.breach("a request of " + std::to_string(which.size()) + " events got " +
                          std::to_string(came.size()) + " answers");
  std::string line = "answered";
  for (std::size_t i = 0; i < which.size(); ++i) {
    Told& told = told_[which[i]];
    told.came.push_back(came[i].came);
    line += " " + told.id + "=" + std::string(serve::name_of(came[i].came));
    const bool is_kept =
        came[i].came != serve::Came::Rejected && came[i].came != serve::Came::UnknownType;
    if (is_kept != told.is_good)
      record_.breach("event " + told.id + " was " + std::string(serve::name_of(came[i].came)) +
                     ": " + came[i].reason);
  }
  record_.say(line);
}

}  // namespace koi::simulator
