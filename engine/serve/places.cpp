#include "serve/places.h"

#include <algorithm>
#include <future>
#include <utility>

#include "core/accounts.h"
#include "serve/refusals.h"

namespace koi::serve {

namespace {

// Somebody on his way comes with the next commits of two groups, or when what his merge needs was
// lent.
constexpr auto rest_between_tries = std::chrono::milliseconds(5);
constexpr int most_tries = 100;

// Of the incentive events, claimed among them (model/schema.h).
// Those who decide are asked for so many at a time: an upload may bring hundreds of thousands.
constexpr std::size_t codes_asked_at_once = 1000;

bool has_group_packets(const plan::Plan& plan) {
  return std::any_of(plan.incentives.begin(), plan.incentives.end(), [](const auto& incentive) {
    const auto* packet = std::get_if<plan::RedPacket>(&incentive.what);
    return packet && packet->how == plan::RedPacket::How::Group;
  });
}

void add_codes(const core::Call& call, std::vector<std::string>& into) {
  // Codes that are uploaded may have been made by another group.
  if (!call.code.empty() && call.kind != core::Call::Kind::Stock) into.push_back(call.code);
  into.insert(into.end(), call.together.begin(), call.together.end());
}

void make_unique(std::vector<std::string>& codes) {
  std::sort(codes.begin(), codes.end());
  codes.erase(std::unique(codes.begin(), codes.end()), codes.end());
}

// Those of the codes that lead somewhere, as the codes stand.
std::vector<CodePlace> of_codes(std::vector<std::string> codes,
                                const std::vector<CodePlace>& found) {
  make_unique(codes);
  std::vector<CodePlace> places;
  for (const std::string& code : codes) {
    const auto place = std::lower_bound(
        found.begin(), found.end(), code,
        [](const CodePlace& each, const std::string& wanted) { return each.code < wanted; });
    if (place != found.end() && place->code == code) places.push_back(*place);
  }
  return places;
}

// Looks codes up in portions, and gives what was found, by code.
struct Search {
  using Found = std::function<void(Result<std::vector<CodePlace>>)>;
  durable::Writers& writers;
  std::vector<std::string> codes;
  Found then;
  std::size_t asked = 0;  // for so many of the codes
  std::vector<CodePlace> found{};

  static void go_on(const std::shared_ptr<Search>& search) {
    const auto begin = search->codes.begin() + static_cast<std::ptrdiff_t>(search->asked);
    search->asked = std::min(search->asked + codes_asked_at_once, search->codes.size());
    const auto end = search->codes.begin() + static_cast<std::ptrdiff_t>(search->asked);
    search->writers.find_places({begin, end}, [search](Result<std::vector<CodePlace>> places) {
      if (!places) return search->then(places.error());
      std::move(places->begin(), places->end(), std::back_inserter(search->found));
      if (search->asked < search->codes.size()) return go_on(search);
      std::sort(search->found.begin(), search->found.end(),
                [](const CodePlace& a, const CodePlace& b) { return a.code < b.code; });
      search->then(std::move(search->found));
    });
  }
};

}  // namespace

Places::Places(const plan::Plan& plan, durable::Writers& writers) : plan_(plan), writers_(writers) {
  if (writers.groups().count == 1) return;
  fields_.resize(plan.schema.events.size());
  if (!plan.referrals.empty())
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      const auto& declared = plan.schema.events[i].fields;
      for (std::size_t field = 0; field < declared.size(); ++field)
        if (declared[field].type.text == TextKind::Code) fields_[i].push_back({field, true});
    }
  if (has_group_packets(plan))
    fields_[type_of(EngineEvent::Claimed).index()].push_back({incentive_field::code, false});
}

void Places::add_codes(const Event& event, std::vector<std::string>& into) const {
  for (const auto& [field, is_scene] : fields_[event.type.index()]) {
    if (field >= event.fields.size() || event.fields[field].kind() != Kind::Text) continue;
    const std::string_view said = event.fields[field].as_text();
    into.emplace_back(is_scene ? core::code_of_scene(said) : said);
  }
}

// Asks, and asks again while somebody is on his way.
template <class What, class Ask>
void Places::ask_until_there(Ask ask, std::function<void(Result<What>)> then) {
  {
    const std::lock_guard lock(pending_->mutex);
    ++pending_->count;
  }
  try_to_ask<What>(std::move(ask), std::move(then), 1);
}

template <class What, class Ask>
void Places::try_to_ask(Ask ask, std::function<void(Result<What>)> then, int tries) {
  ask([this, pending = pending_, ask, then = std::move(then), tries](Result<What> found) mutable {
    const bool is_on_the_way = !found && found.error().code == "moved";
    if (is_on_the_way && waits_ && tries < most_tries)
      return later_.after(rest_between_tries, [this, ask, then = std::move(then), tries] {
        try_to_ask<What>(ask, then, tries + 1);
      });
    then(is_on_the_way ? Result<What>(Error{"busy", found.error().what}) : std::move(found));
    const std::lock_guard lock(pending->mutex);
    --pending->count;
    pending->changed.notify_all();
  });
}

void Places::ask(std::vector<std::string> codes, Asked then) {
  make_unique(codes);
  ask_until_there<std::vector<CodePlace>>(
      [this, codes = std::move(codes)](Asked found) {
        Search::go_on(std::make_shared<Search>(Search{writers_, codes, std::move(found)}));
      },
      std::move(then));
}

void Places::find_customer(std::string customer, std::function<void(Result<std::string>)> then) {
  ask_until_there<std::string>(
      [this, customer = std::move(customer)](std::function<void(Result<std::string>)> found) {
        writers_.find_customer(customer, std::move(found));
      },
      std::move(then));
}

void Places::wait_for(std::vector<Event> refusals, std::function<void(Result<bool>)> then) {
  ask_until_there<bool>(
      [this, refusals = std::move(refusals)](std::function<void(Result<bool>)> found) {
        ask_whether_come(writers_, plan_, refusals, std::move(found));
      },
      std::move(then));
}

void Places::find(std::vector<durable::Given> inputs, Found found) {
  std::vector<std::string> codes;
  if (!fields_.empty())
    for (const durable::Given& input : inputs) {
      if (const auto* event = std::get_if<Event>(&input)) add_codes(*event, codes);
      if (const auto* call = std::get_if<core::Call>(&input)) serve::add_codes(*call, codes);
    }
  if (codes.empty()) return found(std::move(inputs));
  // A function must be copyable; the inputs are not to be copied.
  const auto kept = std::make_shared<std::vector<durable::Given>>(std::move(inputs));
  ask(std::move(codes),
      [this, kept, found = std::move(found)](const Result<std::vector<CodePlace>>& places) {
        if (!places) return found(places.error());
        std::vector<std::string> own;
        for (durable::Given& input : *kept) {
          auto* const event = std::get_if<Event>(&input);
          auto* const call = std::get_if<core::Call>(&input);
          own.clear();
          if (event) add_codes(*event, own);
          if (call) serve::add_codes(*call, own);
          if (!own.empty()) (event ? event->places : call->places) = of_codes(own, *places);
        }
        found(std::move(*kept));
      });
}

void Places::find(core::Call call, std::function<void(Result<core::Call>)> found) {
  std::vector<std::string> codes;
  if (!fields_.empty()) serve::add_codes(call, codes);
  if (codes.empty()) return found(std::move(call));
  const auto kept = std::make_shared<core::Call>(std::move(call));
  ask(std::move(codes), [kept, found = std::move(found)](Result<std::vector<CodePlace>> places) {
    if (!places) return found(places.error());
    kept->places = *std::move(places);
    if (kept->customer.empty())
      for (const CodePlace& place : kept->places)
        if (place.code == kept->code && !place.incentive.empty()) kept->customer = place.customer;
    found(std::move(*kept));
  });
}

Result<Event> Places::found(Event event) {
  const auto got = std::make_shared<std::promise<Result<std::vector<durable::Given>>>>();
  std::vector<durable::Given> inputs;
  inputs.emplace_back(std::move(event));
  find(std::move(inputs),
       [got](Result<std::vector<durable::Given>> given) { got->set_value(std::move(given)); });
  KOI_LET(auto given, got->get_future().get());
  return std::get<Event>(std::move(given.front()));
}

void Places::settle() {
  waits_ = false;
  later_.hurry();
  std::unique_lock lock(pending_->mutex);
  pending_->changed.wait(lock, [&] { return pending_->count == 0; });
}

}  // namespace koi::serve
