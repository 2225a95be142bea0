#include "runtime/compared.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/hash.h"

namespace koi::runtime {

namespace {

// Members of an effect that say what it is for the customer; the rest names it or says when.
constexpr const char* what_members[] = {"campaign", "action", "name", "channel", "amount",
                                        "prize",    "value",  "data", "text"};
constexpr std::string_view not_his[] = {"enter", "leave", "goal", "split", "refuse", "merge"};

struct Line {
  nlohmann::json effect;
  Timestamp at;
  std::string text(const char* name) const {
    const auto place = effect.find(name);
    return place != effect.end() && place->is_string() ? place->get<std::string>() : std::string();
  }
  bool is_his() const {
    const std::string action = text("action");
    return std::find(std::begin(not_his), std::end(not_his), action) == std::end(not_his);
  }
  bool is_message() const {
    const std::string action = text("action");
    return action == "send" || action == "reply";
  }
  HashInput what() const {
    HashInput hash;
    for (const char* const name : what_members) {
      const auto place = effect.find(name);
      hash.text(place == effect.end() ? std::string() : place->dump());
    }
    return hash;
  }
};

Result<void> each_line(const std::string& path, Timestamp since,
                       const std::function<void(const Line&, const std::string&)>& take) {
  std::ifstream in(path, std::ios::binary);
  std::uint64_t number = 0;
  Line line;
  for (std::string text; std::getline(in, text);) {
    ++number;
    line.effect = nlohmann::json::parse(text, nullptr, false);
    const auto at = line.effect.is_object() ? parse_instant(line.text("time")) : std::nullopt;
    if (!at) return Error{"line", path + ":" + std::to_string(number) + ": it is no effect"};
    line.at = *at;
    if (line.at >= since) take(line, text);
  }
  if (!in.eof() || in.bad()) return Error{"unreadable", path + " cannot be read to its end"};
  return {};
}

std::uint64_t count_different(std::vector<std::uint64_t>& all) {
  std::sort(all.begin(), all.end());
  return static_cast<std::uint64_t>(std::unique(all.begin(), all.end()) - all.begin());
}

// One run's lines, added up.
class Adding {
 public:
  Adding(const Zone& zone) : zone_(zone) {}

  void take(const Line& line) {
    const std::uint64_t customer = hash64(line.text("customer"));
    const std::string action = line.text("action"), campaign = line.text("campaign");
    Decided::Campaign& figures = decided_.campaigns[campaign];
    if (action == "enter") {
      ++figures.entered;
      entered_[campaign].push_back(customer);
    } else if (action == "goal") {
      ++figures.goals;
    } else if (action == "give") {
      ++figures.given;
      gifted_.push_back(customer);
    } else if (action == "refuse") {
      ++figures.refused;
      const std::string reason = line.text("reason");
      ++decided_.refused[reason];
      if (reason == "budget") decided_.out_since.try_emplace(line.text("name"), line.at);
    } else if (line.is_message()) {
      ++figures.sent;
      ++decided_.sent[line.text("channel")];
      const Date day = zone_.local(line.at).date;
      messages_.emplace_back(customer, day.days - weekday(day));
    }
  }

  Decided finish() {
    for (auto& [campaign, customers] : entered_)
      decided_.campaigns[campaign].customers = count_different(customers);
    decided_.gifted = count_different(gifted_);
    add_pressure();
    return std::move(decided_);
  }

 private:
  void add_pressure() {
    std::sort(messages_.begin(), messages_.end());
    std::vector<std::uint64_t> weeks;
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      const bool is_same_week = i > 0 && messages_[i] == messages_[i - 1];
      if (i == 0 || messages_[i].first != messages_[i - 1].first) ++decided_.reached;
      if (!is_same_week) weeks.push_back(0);
      ++weeks.back();
    }
    if (weeks.empty()) return;
    std::sort(weeks.begin(), weeks.end());
    // The least that so many in a hundred of the weeks do not exceed.
    const auto percentile = [&](std::size_t percent) {
      return weeks[(weeks.size() * percent + 99) / 100 - 1];
    };
    decided_.pressure = {weeks.size(), percentile(50), percentile(95), weeks.back()};
  }

  const Zone& zone_;
  Decided decided_;
  std::map<std::string, std::vector<std::uint64_t>> entered_;
  std::vector<std::uint64_t> gifted_;
  std::vector<std::pair<std::uint64_t, std::int32_t>> messages_;  // customer, the week's Monday
};

// What a customer gets, as sums over it, in whatever order it comes.
struct Gets {
  std::uint64_t what = 0, when = 0;
  void add(const Line& line) {
    HashInput hash = line.what();
    what += hash.hash64();
    when += hash.number(static_cast<std::uint64_t>(line.at.us)).hash64();
  }
};

struct Both {
  Gets live, next;
};

// The lines that one has and the other lacks; of those that both have, at whatever time, none.
void cut_common(Difference& difference) {
  using Named = std::pair<std::uint64_t, std::string>;
  const auto named = [](std::vector<std::string>& lines) {
    std::vector<Named> all;
    for (std::string& text : lines) {
      const Line line{nlohmann::json::parse(text), {}};
      all.emplace_back(line.what().hash64(), std::move(text));
    }
    lines.clear();
    return all;
  };
  std::vector<Named> live = named(difference.live);
  for (Named& each : named(difference.next)) {
    const auto same = std::find_if(live.begin(), live.end(),
                                   [&](const Named& other) { return other.first == each.first; });
    if (same == live.end())
      difference.next.push_back(std::move(each.second));
    else
      live.erase(same);
  }
  for (Named& each : live) difference.live.push_back(std::move(each.second));
}

}  // namespace

Result<Comparison> compare(const std::string& live, const std::string& next, const Zone& zone,
                           Timestamp since, std::size_t examples) {
  Comparison comparison;
  std::unordered_map<std::uint64_t, Both> customers;  // by a hash of the id; counted, never ordered
  const auto read = [&](const std::string& path, Gets Both::*gets) -> Result<Decided> {
    Adding adding(zone);
    KOI_TRY(each_line(path, since, [&](const Line& line, const std::string&) {
      adding.take(line);
      if (line.is_his()) (customers[hash64(line.text("customer"))].*gets).add(line);
    }));
    return adding.finish();
  };
  KOI_LET(comparison.live, read(live, &Both::live));
  KOI_LET(comparison.next, read(next, &Both::next));
  for (const auto& [customer, both] : customers)
    ++(both.live.what != both.next.what   ? comparison.otherwise
       : both.live.when != both.next.when ? comparison.at_other_times
                                          : comparison.same);

  // Whoever gets nothing next stands behind the others.
  std::map<std::uint64_t, std::size_t> chosen;
  const auto collect = [&](const std::string& path, std::vector<std::string> Difference::*lines) {
    return each_line(path, since, [&](const Line& line, const std::string& text) {
      const std::string customer = line.text("customer");
      const std::uint64_t hash = hash64(customer);
      if (!line.is_his()) return;
      const Both& both = customers[hash];
      if (both.live.what == both.next.what) return;
      auto place = chosen.find(hash);
      if (place == chosen.end()) {
        if (comparison.examples.size() == examples) return;
        place = chosen.emplace(hash, comparison.examples.size()).first;
        comparison.examples.push_back({customer, {}, {}});
      }
      (comparison.examples[place->second].*lines).push_back(text);
    });
  };
  if (comparison.otherwise > 0) {
    KOI_TRY(collect(next, &Difference::next));
    KOI_TRY(collect(live, &Difference::live));
  }
  for (Difference& each : comparison.examples) cut_common(each);
  return comparison;
}

}  // namespace koi::runtime
