#include "deploy/detail/trial.h"

#include <gtest/gtest.h>

#include "core/codec.h"

namespace koi::deploy {

std::string trial_shop(const std::string& more) {
  return R"(policy { time zone "Asia/Shanghai"  currency CNY  consent not required for marketing  lateness 1 hour
  cap marketing 3 per day }
customer { city: text?  level: enum(low, mid, high) = low
  on register set city = register.city, level = register.level, time_zone = register.zone }
event register { city: text?  zone: text?  level: enum(low, mid, high)? }
event order { amount: money  sku: text?  level: enum(low, mid, high)? }
event view { sku: text }
channel app { class direct }
channel mail { class direct }
content thanks { body "thank you for {o.sku or "it"}" }
content told { body "welcome" }
content nudge { body "still there: {v.sku}" }
metric orders = count order
segment buyer when orders >= 2
segment busy when count order over 1 day >= 3
campaign thank { class transactional  enter always  goal order within 2 days
  when order as o
    send thanks via app, else mail
    wait 3 hours
    send thanks via mail }
campaign greet { class marketing
  when enters buyer
    wait 1 day
    send told via app
    set customer.city = "told" }
campaign remind { class marketing  enter once per v.sku every 3 days  leave when order
  when view as v and no order within 30 minutes
    send nudge via app }
)" + more;
}

Bundle trial_bundle(const std::string& text, std::uint64_t seed) {
  return {seed, {{"shop.koi", text}}};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  KOI_ASSERT(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

plan::Plan plan_of(const Bundle& bundle) {
  auto plan = compile(bundle);
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().what);
  return *std::move(plan);
}

void Outside::Handed::take(store::Group group, std::vector<durable::Deed> deeds) {
  const std::lock_guard lock(outside_.mutex_);
  for (const durable::Deed& deed : deeds) {
    outside_.keys_.insert(deed.effect.key);
    if (deed.effect.text) outside_.texts_[deed.effect.key] = deed.effect.text->body;
    if (core::is_message(deed.effect.action)) outside_.open_[deed.effect.key] = deed.customer;
    ++count_[group];
  }
}

std::string Outside::Handed::freeze(store::Group group) {
  const std::lock_guard lock(outside_.mutex_);
  return "taken " + std::to_string(count_[group]);
}

Result<void> Outside::Handed::thaw(store::Group group, std::string_view frozen) {
  const std::lock_guard lock(outside_.mutex_);
  if (!frozen.starts_with("taken ")) return Error{"corrupt", "thawed: " + std::string(frozen)};
  count_[group] = std::stoull(std::string(frozen.substr(6)));
  return {};
}

Result<void> FailingStore::checkpoint(const store::Checkpoint& what, const store::Pieces& changed) {
  const std::lock_guard lock(mutex_);
  ++seen_;
  if (left_ < 0) return StoreOver::checkpoint(what, changed);
  if (dead_) return Error{"killed", "the process is dead"};
  const bool now = left_ == 0;
  if (left_ > 0) --left_;
  if (!now) return StoreOver::checkpoint(what, changed);
  dead_ = true;
  if (after_) KOI_TRY(StoreOver::checkpoint(what, changed));
  return Error{"killed", "the process was killed here"};
}

Site Shop::site() {
  return {.directory = directory,
          .journal = journal,
          .store = live,
          .groups = groups,
          .deeds = [this](const plan::Plan&) -> std::unique_ptr<durable::Deeds> {
            return std::make_unique<Outside::Handed>(outside);
          },
          .clock = [this] { return now; },
          .progress = {},
          .budget = 4u << 20,
          .walk = {.customers = 3, .bytes = 100'000, .piece = 2}};
}

Result<std::vector<Report>> Shop::deploy(const Bundle& bundle, const Ways& ways) {
  return deploy::deploy(site(), bundle, {}, ways);
}

std::map<std::string, std::string> Shop::stored() const {
  std::map<std::string, std::string> all;
  for (std::size_t partition = 0; partition < partition_count; ++partition) {
    const auto found = *live.scan(static_cast<Partition>(partition), "", 1'000'000);
    for (const store::Saved& saved : found) all[saved.customer] = saved.bytes;
  }
  return all;
}

std::map<std::string, std::string> Shop::states(const plan::Plan& plan) const {
  core::Codec codec(plan);
  for (store::Group group = 0; group < groups.count; ++group) {
    const auto layouts = *live.layouts(group);
    for (const std::string& layout : layouts) KOI_ASSERT(codec.learn(layout));
  }
  std::map<std::string, std::string> all = stored();
  for (auto& [customer, bytes] : all) {
    core::State state = *codec.decode(bytes);
    state.recent.clear();
    bytes = codec.encode(state);
  }
  return all;
}

std::map<std::string, Timestamp> Shop::timers() const {
  std::map<std::string, Timestamp> all;
  for (store::Group group = 0; group < groups.count; ++group) {
    const auto found = *live.due(group, Timestamp::never(), 1'000'000, {});
    for (const store::Due& due : found) all[due.customer] = due.due;
  }
  return all;
}

Event event_of(const plan::Plan& plan, const Told& told) {
  Event event;
  event.type = plan.schema.find_event(told.type);
  KOI_ASSERT(event.type);
  event.id = told.id;
  event.customer = told.customer;
  event.time = told.time;
  event.identifiers = told.identifiers;
  event.met = told.met;
  for (const Field& field : plan.schema[event.type].fields) {
    const auto found = told.fields.find(field.symbol.name);
    event.fields.push_back(found == told.fields.end() ? field.fallback : found->second);
  }
  return event;
}

core::Call upload_of(const std::string& pool, std::vector<std::string> codes) {
  core::Call upload;
  upload.kind = core::Call::Kind::Stock;
  upload.id = "codes";
  upload.code = pool;
  upload.together = std::move(codes);
  return upload;
}

Life::Life(Shop& shop, const Bundle& bundle, const Ways& ways)
    : shop_(shop), handed_(shop.outside) {
  auto deployed = shop.deploy(bundle, ways);
  EXPECT_TRUE(deployed) << (deployed ? "" : deployed.error().what);
  if (!deployed) return;
  reports = *std::move(deployed);
  Live decides = *deploy::live(shop.directory);
  plan_ = std::move(decides.plan);
  durable::Settings settings;
  settings.budget = 4u << 20;
  auto opened = durable::Writers::open({plan_, decides.rules, shop.journal, shop.live, shop_.groups,
                                        handed_, [this] { return shop_.now; }},
                                       settings);
  EXPECT_TRUE(opened) << (opened ? "" : opened.error().what);
  if (opened) writers_ = *std::move(opened);
}

void Life::take(const std::vector<Told>& events) {
  std::vector<durable::Given> given;
  for (const Told& each : events) given.emplace_back(event_of(plan_, each));
  give(std::move(given));
}

void Life::answer(Failure failure) {
  std::vector<durable::Given> given;
  for (const auto& [key, customer] : shop_.outside.answer())
    given.emplace_back(durable::ReceiptFor{customer, {key, shop_.now, failure}});
  give(std::move(given));
}

void Life::settle() {
  while (*writers_->commit()) step();
}

void Life::write_back() {
  for (store::Group group = 0; group < shop_.groups.count; ++group)
    ASSERT_TRUE(writers_->checkpoint(group));
}

Beside Life::beside(store::Store& next) {
  return {.live = shop_.live,
          .next = next,
          .folder = {},
          .write_back =
              [this] {
                write_back();
                return Result<void>();
              },
          .gives_up = {},
          .lead = 0};
}

core::State Life::state(const std::string& customer) {
  core::State state;
  writers_->look(customer, [&](Result<const core::State*> shown) {
    EXPECT_TRUE(shown && *shown);
    if (shown && *shown) state = **shown;
  });
  return state;
}

void Life::give(std::vector<durable::Given> given) {
  if (!given.empty()) {
    EXPECT_TRUE(writers_->submit(std::move(given), {}));
  }
  settle();
}

void Life::step() {
  for (store::Group group = 0; group < shop_.groups.count; ++group)
    while (*writers_->step(group)) {
    }
}

}  // namespace koi::deploy
