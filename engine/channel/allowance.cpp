#include "channel/allowance.h"

#include <algorithm>
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <charconv>
#include <deque>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/time.h"

namespace koi::channel {

namespace {

constexpr Duration until_kept{20'000};  // a note's way to the disk

Duration span_of(Amount::Per per) {
  switch (per) {
    case Amount::Per::Second: return seconds(1);
    case Amount::Per::Minute: return minutes(1);
    case Amount::Per::Hour: return hours(1);
    case Amount::Per::Day: break;
  }
  KOI_ASSERT(false);
}

// How many of one amount have gone out.
struct Meter {
  Amount amount;
  std::string form;  // of what goes by it alone; empty: of everything

  // Second, Minute, Hour: those within the time that is still looked back at.
  std::deque<std::pair<Timestamp, std::uint64_t>> gone;
  std::uint64_t within = 0;

  // Day. `kept` is what the notebook says that may be used: it is ahead of what is.
  std::int32_t day = INT32_MIN;
  std::uint64_t used = 0, kept = 0;
  bool is_keeping = false;

  std::uint64_t of(std::uint64_t messages) const {
    return amount.of == Amount::Of::Messages ? messages : 1;
  }
  bool concerns(const Form& which) const { return form.empty() || form == which.name; }
  std::string name() const {
    return (amount.of == Amount::Of::Messages ? "messages " : "requests ") + form;
  }
  void forget_before(Timestamp now) {
    const Duration span = span_of(amount.per);
    while (!gone.empty() && gone.front().first + span <= now) {
      within -= gone.front().second;
      gone.pop_front();
    }
  }
};

// What the type declares, where the operator says nothing else.
std::vector<Meter> meters_of(const Capabilities& capabilities, Allowance::Said said) {
  std::vector<Meter> meters;
  const auto add = [&](std::span<const Amount> amounts, std::string_view form) {
    for (const Amount& amount : amounts) {
      if (amount.per == Amount::Per::Second && said.rate) continue;
      if (amount.per == Amount::Per::Day && said.per_day > 0) continue;
      meters.emplace_back().amount = amount;
      meters.back().form = form;
    }
  };
  add(capabilities.amounts, "");
  for (const Form& form : capabilities.forms) add(form.amounts, form.name);
  if (said.per_day > 0)
    meters.emplace_back().amount = {said.per_day, Amount::Per::Day, Amount::Of::Messages};
  return meters;
}

}  // namespace

struct Allowance::State : std::enable_shared_from_this<State> {
  Ground ground;
  const Zone* zone = nullptr;
  std::vector<Meter> meters;

  // The day that it is now, with what is known to have been used of it.
  void begin_day(Meter& meter, Timestamp now) const {
    const std::int32_t today = zone->local(now).date.days;
    if (meter.day == today) return;
    meter.day = today;
    meter.used = meter.kept = 0;
    const std::string* const note = ground.notes ? ground.notes->find(meter.name()) : nullptr;
    if (!note) return;
    const char* const end = note->data() + note->size();
    std::int32_t of = 0;
    std::uint64_t used = 0;
    const auto day = std::from_chars(note->data(), end, of);
    if (day.ec != std::errc{} || day.ptr == end || of != today) return;
    const auto count = std::from_chars(day.ptr + 1, end, used);
    if (count.ec == std::errc{}) meter.used = meter.kept = used;
  }
  Timestamp day_ends(const Meter& meter) const { return zone->instant({{meter.day + 1}, {}}); }

  // Says in the notebook that so many more may be used, before they are.
  void keep_ahead(const std::shared_ptr<State>& alive, std::size_t number, std::uint64_t wanted) {
    Meter& meter = meters[number];
    if (meter.is_keeping || meter.kept >= meter.amount.most) return;
    const std::uint64_t some = std::clamp<std::uint64_t>(meter.amount.most / 100, 1, 1000);
    if (meter.used + std::max(wanted, some / 2) <= meter.kept) return;
    const std::uint64_t ahead =
        std::min(meter.amount.most, std::max(meter.used, meter.kept) + std::max(wanted, some));
    meter.is_keeping = true;
    Note note{meter.name(), std::to_string(meter.day) + " " + std::to_string(ahead),
              day_ends(meter)};
    asio::co_spawn(ground.executor, keep(alive, number, meter.day, ahead, std::move(note)),
                   asio::detached);
  }
  static asio::awaitable<void> keep(std::shared_ptr<State> alive, std::size_t number,
                                    std::int32_t day, std::uint64_t ahead, Note note) {
    // One that cannot be kept is used all the same: what is to be sent matters more.
    const auto kept = co_await alive->ground.notes->keep(std::move(note));
    (void)kept;
    Meter& meter = alive->meters[number];
    meter.is_keeping = false;
    if (meter.day == day) meter.kept = std::max(meter.kept, ahead);
  }
};

Allowance::Allowance(const Capabilities& capabilities, Said said, Ground ground)
    : state_(std::make_shared<State>()) {
  state_->zone = capabilities.zone.empty() ? ground.zone : find_zone(capabilities.zone);
  if (!state_->zone) state_->zone = &utc();
  state_->ground = std::move(ground);
  state_->meters = meters_of(capabilities, said);
}

Allowance::~Allowance() = default;

bool Allowance::counts_days(const Capabilities& capabilities, Said said) {
  const auto meters = meters_of(capabilities, said);
  return std::any_of(meters.begin(), meters.end(),
                     [](const Meter& each) { return each.amount.per == Amount::Per::Day; });
}

Allowance::Room Allowance::room(const Form& form, std::uint64_t wanted, Timestamp now) {
  Room room{wanted, now, false};
  const auto none_before = [&](Timestamp from, bool is_of_day) {
    room = {0, std::max(room.from, from), room.is_of_day || is_of_day};
  };
  for (std::size_t i = 0; i < state_->meters.size(); ++i) {
    Meter& meter = state_->meters[i];
    if (!meter.concerns(form)) continue;
    const bool by_message = meter.amount.of == Amount::Of::Messages;
    std::uint64_t left = 0;
    if (meter.amount.per != Amount::Per::Day) {
      meter.forget_before(now);
      left = meter.amount.most - std::min(meter.amount.most, meter.within);
      if (left == 0) none_before(meter.gone.front().first + span_of(meter.amount.per), false);
    } else {
      state_->begin_day(meter, now);
      left = meter.amount.most - std::min(meter.amount.most, meter.used);
      if (left == 0) {
        none_before(state_->day_ends(meter), true);
      } else if (state_->ground.notes) {
        const std::uint64_t needed = std::min(left, meter.of(wanted));
        state_->keep_ahead(state_, i, needed);
        const bool is_kept = meter.kept >= meter.used + needed;
        if (!is_kept) none_before(now + until_kept, false);
      }
    }
    if (by_message) room.messages = std::min(room.messages, left);
  }
  return room;
}

void Allowance::take(const Form& form, std::uint64_t messages, Timestamp now) {
  for (Meter& meter : state_->meters) {
    if (!meter.concerns(form)) continue;
    const std::uint64_t count = meter.of(messages);
    if (meter.amount.per == Amount::Per::Day) {
      state_->begin_day(meter, now);
      meter.used += count;
      continue;
    }
    meter.within += count;
    if (!meter.gone.empty() && meter.gone.back().first == now)
      meter.gone.back().second += count;
    else
      meter.gone.emplace_back(now, count);
  }
}

}  // namespace koi::channel
