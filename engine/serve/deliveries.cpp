#include "serve/deliveries.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "core/gate.h"
#include "core/merge.h"
#include "model/codec.h"
#include "serve/account_name.h"

namespace koi::serve {

namespace {

constexpr std::uint8_t frozen_version = 6;  // 1 had no payouts and no sent messages, 3 nothing that
                                            // is to be taken, 4 gave and answered nothing, 5 had no
                                            // templates, and knew of no other ways
constexpr std::size_t most_merged = 10'000;
constexpr std::size_t most_untold =
    200'000;  // lines of a group, while the timeline cannot be written

// --- Bytes --------------------------------------------------------------------------------------

void write(ByteWriter& out, const Delivery& delivery) {
  out.hash(delivery.key);
  out.text(delivery.customer);
  out.unsigned_(delivery.addresses.size());
  for (const Address& address : delivery.addresses) {
    out.text(address.kind);
    out.text(address.value);
  }
  for (const std::string* text : {&delivery.channel, &delivery.campaign, &delivery.content,
                                  &delivery.title, &delivery.body, &delivery.link})
    out.text(*text);
  out.time(delivery.not_before);
  out.time(delivery.not_after);
  out.time(delivery.take_by);
  out.text(delivery.reply_to);
  out.text(delivery.provider_template);
  out.unsigned_(delivery.values.size());
  for (const auto& [name, value] : delivery.values) out.text(name), out.text(value);
  out.boolean(delivery.has_another_way);
  out.boolean(delivery.payout.has_value());
  if (!delivery.payout) return;
  out.signed_(delivery.payout->amount);
  out.text(delivery.payout->currency);
  out.text(delivery.payout->remark);
}

Delivery read_delivery(ByteReader& in, std::uint8_t version) {
  Delivery delivery;
  delivery.key = in.hash();
  delivery.customer = in.text();
  for (std::size_t left = in.count(2); left > 0; --left) {
    std::string kind(in.text());
    delivery.addresses.push_back({std::move(kind), std::string(in.text())});
  }
  for (std::string* text : {&delivery.channel, &delivery.campaign, &delivery.content,
                            &delivery.title, &delivery.body, &delivery.link})
    *text = in.text();
  delivery.not_before = in.time();
  delivery.not_after = in.time();
  if (version >= 4) delivery.take_by = in.time();
  if (version >= 5) delivery.reply_to = in.text();
  if (version >= 6) {
    delivery.provider_template = in.text();
    for (std::size_t left = in.count(2); left > 0; --left) {
      std::string name(in.text());
      delivery.values.emplace_back(std::move(name), in.text());
    }
    delivery.has_another_way = in.boolean();
  }
  if (version < 2 || !in.boolean()) return delivery;
  Payout& payout = delivery.payout.emplace();
  payout.amount = in.signed_();
  payout.currency = in.text();
  payout.remark = in.text();
  return delivery;
}

void write(ByteWriter& out, const runtime::CampaignFigures& figures) {
  for (const std::uint64_t n : {figures.entered, figures.left, figures.goals, figures.sent,
                                figures.set, figures.tagged, figures.emitted, figures.notified,
                                figures.called, figures.started, figures.given, figures.taken})
    out.unsigned_(n);
  out.signed_(figures.spent);
  out.unsigned_(figures.refused.size());
  for (const std::uint64_t n : figures.refused) out.unsigned_(n);
}

runtime::CampaignFigures read_figures(ByteReader& in, std::uint8_t version) {
  runtime::CampaignFigures figures;
  for (std::uint64_t* n :
       {&figures.entered, &figures.left, &figures.goals, &figures.sent, &figures.set,
        &figures.tagged, &figures.emitted, &figures.notified, &figures.called, &figures.started})
    *n = in.unsigned_();
  if (version >= 5) {
    figures.given = in.unsigned_();
    figures.taken = in.unsigned_();
    figures.spent = in.signed_();
  }
  for (std::size_t i = 0, count = in.count(); i < count; ++i) {
    const std::uint64_t n = in.unsigned_();
    if (i < figures.refused.size()) figures.refused[i] = n;
  }
  return figures;
}

void write(ByteWriter& out, const std::vector<store::TimelineEntry>& entries) {
  for (const store::TimelineEntry& entry : entries) {
    out.unsigned_(entry.partition);
    out.text(entry.customer);
    out.time(entry.time);
    out.hash(entry.key);
    out.text(entry.line);
  }
}

void write(ByteWriter& out, const std::vector<store::SentMessage>& messages) {
  for (const store::SentMessage& message : messages) {
    out.time(message.time);
    out.hash(message.key);
    for (const std::string* text :
         {&message.customer, &message.channel, &message.campaign, &message.content, &message.link})
      out.text(*text);
  }
}

store::SentMessage read_sent(ByteReader& in) {
  store::SentMessage message;
  message.time = in.time();
  message.key = in.hash();
  for (std::string* text :
       {&message.customer, &message.channel, &message.campaign, &message.content, &message.link})
    *text = in.text();
  return message;
}

// Is it money that is paid through a channel: a packet, or a friend's share of one? Who shares a
// packet out is not paid it.
bool is_payment(const core::Effect& effect) {
  const bool is_paid = (effect.action == core::Action::Give && effect.wants_receipt) ||
                       effect.action == core::Action::Claim;
  return is_paid && effect.channel;
}

// Does it leave the engine, for others to carry out?
bool goes_out(const core::Effect& effect) {
  return core::is_message(effect.action) || effect.action == core::Action::Notify ||
         effect.action == core::Action::Call || is_payment(effect);
}

// Is somebody on the staff to say that he takes it?
bool is_to_be_taken(const core::Effect& effect) {
  return effect.action == core::Action::Notify && effect.not_after != Timestamp::never();
}

// --- Lines --------------------------------------------------------------------------------------

// What became of a delivery. A message to the staff that was to be taken was, or was missed.
std::string_view action_of(const Delivery& delivery, const Receipt& receipt) {
  if (receipt.unknown) return "unknown";
  if (!receipt.by.empty()) return "taken";
  if (receipt.failure == Failure::None) return "delivered";
  return receipt.failure == Failure::Lapsed && delivery.take_by != Timestamp::never() ? "missed"
                                                                                      : "failed";
}

// The same as a line beside the decisions.
std::string line_of(const runtime::Send& send, const Receipt& receipt, const Zone& zone) {
  std::string out = R"({"time":)";
  append_json_string(out, to_string(receipt.time, zone));
  const auto member = [&](std::string_view key, std::string_view value) {
    out.append(key);
    append_json_string(out, value);
  };
  const bool has_failed = receipt.failure != Failure::None;
  member(R"(,"customer":)", send.delivery.customer);
  member(R"(,"campaign":)", send.delivery.campaign);
  member(R"(,"action":)", action_of(send.delivery, receipt));
  const bool is_send = !send.delivery.content.empty();
  member(R"(,"name":)", is_send ? send.delivery.content : send.delivery.channel);
  if (is_send) member(R"(,"channel":)", send.delivery.channel);
  member(R"(,"key":)", to_hex(receipt.key));
  if (!receipt.by.empty()) member(R"(,"by":)", receipt.by);
  if (has_failed) member(R"(,"reason":)", name_of(receipt.failure));
  return out + "}";
}

// An input waits for what its customer's group has not been lent of some account.
std::string line_of(const plan::Plan& plan, const durable::Pause& pause) {
  std::string out = R"({"time":)";
  append_json_string(out, to_string(pause.stamp, *plan.policy.zone));
  out += R"(,"customer":)";
  append_json_string(out, pause.customer);
  out += R"(,"action":"wait")";
  const auto* event = pause.given ? std::get_if<Event>(pause.given) : nullptr;
  if (event) {
    out += R"(,"event":)";
    append_json_string(out, event->id);
  }
  return out + R"(,"for":)" + names_of_lacks(plan, pause) + "}";
}

// Of something that was decided later than it came.
void append_waited(std::string& line, Timestamp since, const Zone& zone) {
  line.back() = ',';
  line += R"("waited_since":)";
  append_json_string(line, to_string(since, zone));
  line += '}';
}

}  // namespace

Deliveries::Deliveries(const plan::Plan& plan, store::Groups groups, bool keeps_sent)
    : plan_(plan), groups_(groups), keeps_sent_(keeps_sent) {
  for (store::Group group = 0; group < groups.count; ++group) {
    of_group_.push_back(std::unique_ptr<Group>(new Group{.mutex = {},
                                                         .open = {},
                                                         .figures = {},
                                                         .of_campaign = {},
                                                         .untold = {},
                                                         .at_hand = {},
                                                         .unsaved = {},
                                                         .being_saved = {},
                                                         .lines = runtime::EffectLines(plan),
                                                         .line = {}}));
    find_figures(*of_group_.back());
  }
}

void Deliveries::find_figures(Group& group) const {
  group.of_campaign.clear();
  for (const plan::Campaign& campaign : plan_.campaigns)
    group.of_campaign.push_back(&group.figures[plan::full_name_of(campaign)]);
}

// A referral gives by itself, and a claim may be refused under no campaign: they are counted under
// the referral's name, or the gift's; under none where the code is nobody's.
std::string Deliveries::source_of(const core::Effect& effect) const {
  if (effect.campaign) return plan_.campaigns[effect.campaign.index()].symbol.name;
  const core::Gift& gift = *effect.gift;
  if (gift.referral) return plan_.referrals[gift.referral.index()].symbol.name;
  return gift.incentive ? plan_.incentives[gift.incentive.index()].symbol.name : std::string();
}

runtime::CampaignFigures& Deliveries::figures_of(Group& group, const core::Effect& effect) const {
  if (effect.campaign) return *group.of_campaign[effect.campaign.index()];
  return group.figures[source_of(effect)];
}

void Deliveries::hand_over_to(HandOver hand_over) { hand_over_ = std::move(hand_over); }
void Deliveries::dress_with(Dress dress) { dress_ = std::move(dress); }
void Deliveries::submit_with(Submit submit) { submit_ = std::move(submit); }

// Or a team, or a webhook: all of them go by their names.
bool Deliveries::has_channel(const Delivery& delivery) const {
  const auto is_it = [&](const Symbol& symbol) { return symbol.name == delivery.channel; };
  return std::any_of(plan_.channels.begin(), plan_.channels.end(),
                     [&](const auto& channel) { return is_it(channel.symbol); }) ||
         std::any_of(plan_.teams.begin(), plan_.teams.end(), is_it) ||
         std::any_of(plan_.webhooks.begin(), plan_.webhooks.end(), is_it);
}

// --- What the writers tell ----------------------------------------------------------------------

void Deliveries::begin(Group& group, const durable::Deed& deed, std::vector<runtime::Send>& sends) {
  const core::Effect& effect = deed.effect;
  runtime::Send send{{}, effect.time, deed.position};
  Delivery& delivery = send.delivery;
  delivery.key = effect.key;
  delivery.customer = deed.customer;
  delivery.campaign = source_of(effect);
  if (core::is_message(effect.action))
    to_customer(effect, delivery);
  else if (effect.gift)
    to_payee(effect, delivery);
  else if (effect.action == core::Action::Notify)
    to_team(effect, delivery);
  else
    to_webhook(effect, delivery);
  if (!group.open.try_emplace(effect.key, OpenDelivery{send, false, deed.wanted}).second) return;
  ++open_;
  const bool has_links = core::is_message(effect.action) || is_to_be_taken(effect);
  if (has_links && keeps_sent_ && group.unsaved.size() < most_untold)
    group.unsaved.push_back({effect.time, effect.key, delivery.customer, delivery.channel,
                             delivery.campaign, delivery.content, delivery.link});
  if (has_links && dress_) dress_(delivery, effect.time);
  sends.push_back(std::move(send));
}

void Deliveries::to_customer(const core::Effect& effect, Delivery& delivery) const {
  const plan::Channel& channel = plan_.channels[effect.channel.index()];
  if (channel.reach_by)
    delivery.addresses.push_back(
        {plan_.schema.identifiers[channel.reach_by.index()], effect.text->address});
  delivery.channel = channel.symbol.name;
  delivery.content = plan_.contents[effect.content.index()].name;
  delivery.title = effect.text->title;
  delivery.body = effect.text->body;
  delivery.link = effect.text->link;
  delivery.provider_template = effect.text->provider_template;
  delivery.values = effect.text->values;
  delivery.reply_to = effect.text->reply_to;
  delivery.not_after = effect.not_after;
  delivery.has_another_way = effect.has_another_way;
}

void Deliveries::to_payee(const core::Effect& effect, Delivery& delivery) const {
  const plan::Channel& channel = plan_.channels[effect.channel.index()];
  const core::Gift& gift = *effect.gift;
  if (channel.reach_by && !gift.address.empty())
    delivery.addresses.push_back(
        {plan_.schema.identifiers[channel.reach_by.index()], gift.address});
  delivery.channel = channel.symbol.name;
  delivery.content = plan_.incentives[gift.incentive.index()].symbol.name;
  delivery.body = gift.wishes;
  delivery.payout = Payout{gift.amount.raw(), plan_.policy.currency, gift.wishes};
}

// Late is better than never: it goes out though nobody can take it in time any more.
void Deliveries::to_team(const core::Effect& effect, Delivery& delivery) const {
  const Symbol& campaign = plan_.campaigns[effect.campaign.index()].symbol;
  delivery.channel = plan_.teams[effect.team.index()].name;
  delivery.title = campaign.alias.empty() ? campaign.name : campaign.alias;
  // Without links of ours nobody could say that he takes it.
  if (keeps_sent_ && is_to_be_taken(effect)) delivery.take_by = effect.not_after;
  if (effect.not_after != Timestamp::never())
    delivery.title += " ≤ " + to_string(effect.not_after, *plan_.policy.zone);
  delivery.body = effect.text->body;
}

void Deliveries::to_webhook(const core::Effect& effect, Delivery& delivery) const {
  delivery.channel = plan_.webhooks[effect.webhook.index()].name;
  runtime::append_data(delivery.body, plan_, effect);
}

void Deliveries::note(Group& group, store::TimelineEntry entry) {
  if (group.untold.size() >= most_untold) {
    ++lost_lines_;
    return;
  }
  group.untold.push_back(std::move(entry));
}

void Deliveries::take(store::Group number, std::vector<durable::Deed> deeds) {
  std::vector<runtime::Send> sends;
  {
    Group& group = *of_group_[number];
    const std::lock_guard lock(group.mutex);
    for (durable::Deed& deed : deeds) {
      // That two customers are one is no campaign's doing.
      if (deed.effect.action != core::Action::Merge)
        figures_of(group, deed.effect).count(deed.effect);
      else if (groups_.count > 1)
        note_merged(deed);
      if (goes_out(deed.effect)) begin(group, deed, sends);
      group.line.clear();
      group.lines.append(group.line, deed.customer, deed.effect);
      group.line.pop_back();  // its line feed
      if (deed.waited != 0) append_waited(group.line, deed.waited_since, *plan_.policy.zone);
      note(group, {deed.partition, std::move(deed.customer), deed.effect.time, deed.effect.key,
                   group.line});
    }
  }
  if (hand_over_ && !sends.empty()) hand_over_(std::move(sends));
}

void Deliveries::settled(store::Group number, const durable::ReceiptFor& came) {
  Group& group = *of_group_[number];
  const std::lock_guard lock(group.mutex);
  const auto found = group.open.find(came.receipt.key);
  if (found == group.open.end()) return;
  note(group, {partition_of(came.customer), came.customer, came.receipt.time,
               HashInput().text("receipt").text(to_hex(came.receipt.key)).hash128(),
               line_of(found->second.send, came.receipt, *plan_.policy.zone)});
  group.open.erase(found);
  --open_;
}

// What waits behind others of the same customer has nothing of its own to tell.
void Deliveries::waits(store::Group number, const durable::Pause& pause) {
  if (pause.lacks.empty()) return;
  Group& group = *of_group_[number];
  const std::lock_guard lock(group.mutex);
  note(group, {partition_of(pause.customer), std::string(pause.customer), pause.stamp,
               HashInput()
                   .text("wait")
                   .text(pause.customer)
                   .number(pause.position)
                   .number(pause.number)
                   .hash128(),
               line_of(plan_, pause)});
}

void Deliveries::attempted(store::Group number, Hash128 key) {
  Group& group = *of_group_[number];
  const std::lock_guard lock(group.mutex);
  const auto found = group.open.find(key);
  if (found != group.open.end()) found->second.attempted = true;
}

void Deliveries::note_merged(const durable::Deed& deed) {
  const std::lock_guard lock(merged_mutex_);
  if (merged_.size() >= most_merged) merged_.pop_front();
  merged_.push_back({std::string(deed.effect.value.as_text()), deed.customer});
}

std::vector<Deliveries::Merged> Deliveries::take_merged() {
  const std::lock_guard lock(merged_mutex_);
  std::vector<Merged> all(std::move_iterator(merged_.begin()), std::move_iterator(merged_.end()));
  merged_.clear();
  return all;
}

void Deliveries::refused(store::Group, const core::State& customer) {
  for (const auto& group : of_group_) refused(*group, customer);
}

void Deliveries::refused(Group& group, const core::State& customer) const {
  const std::lock_guard lock(group.mutex);
  for (auto& [key, open] : group.open) {
    const Delivery& delivery = open.send.delivery;
    if (!core::is_called(customer, delivery.customer) || delivery.payout) continue;
    const auto campaign =
        std::find_if(plan_.campaigns.begin(), plan_.campaigns.end(),
                     [&](const auto& each) { return each.symbol.name == delivery.campaign; });
    // Of a campaign that is gone nobody knows the class any more: it is taken for the one that most
    // need a permission.
    const auto purpose = campaign == plan_.campaigns.end() ? plan::CampaignClass::Marketing
                                                           : campaign->campaign_class;
    for (std::size_t i = 0; i < plan_.channels.size(); ++i)
      if (plan_.channels[i].symbol.name == delivery.channel &&
          core::has_refused(customer, purpose, plan::ChannelId::of(i)))
        open.wanted = false;
  }
}

std::string Deliveries::freeze(store::Group number) {
  Group& group = *of_group_[number];
  const std::lock_guard lock(group.mutex);
  ByteWriter out;
  out.byte(frozen_version);
  out.unsigned_(group.open.size());
  for (const auto& [key, open] : group.open) {
    write(out, open.send.delivery);
    out.time(open.send.decided);
    out.unsigned_(open.send.position);
    out.boolean(open.attempted);
    out.boolean(open.wanted);
  }
  out.unsigned_(group.figures.size());
  for (const auto& [campaign, figures] : group.figures) {
    out.text(campaign);
    write(out, figures);
  }
  out.unsigned_(group.at_hand.size() + group.untold.size());
  write(out, group.at_hand);
  write(out, group.untold);
  out.unsigned_(group.being_saved.size() + group.unsaved.size());
  write(out, group.being_saved);
  write(out, group.unsaved);
  return out.take();
}

Result<void> Deliveries::thaw(store::Group number, std::string_view frozen) {
  Group& group = *of_group_[number];
  const std::lock_guard lock(group.mutex);
  if (frozen.empty()) return {};
  ByteReader in(frozen);
  const std::uint8_t version = in.byte();
  for (std::size_t left = in.count(30); left > 0; --left) {
    OpenDelivery open;
    open.send.delivery = read_delivery(in, version);
    open.send.decided = in.time();
    open.send.position = in.unsigned_();
    open.attempted = in.boolean();
    open.wanted = in.boolean();
    if (group.open.try_emplace(open.send.delivery.key, std::move(open)).second) ++open_;
  }
  group.figures.clear();
  for (std::size_t left = in.count(7); left > 0; --left) {
    const std::string campaign(in.text());
    group.figures[campaign] = read_figures(in, version);
  }
  for (std::size_t left = in.count(20); left > 0; --left) {
    store::TimelineEntry entry;
    entry.partition = static_cast<Partition>(in.unsigned_());
    entry.customer = in.text();
    entry.time = in.time();
    entry.key = in.hash();
    entry.line = in.text();
    group.untold.push_back(std::move(entry));
  }
  for (std::size_t left = version < 2 ? 0 : in.count(20); left > 0; --left)
    group.unsaved.push_back(read_sent(in));
  find_figures(group);
  if (version >= 1 && version <= frozen_version && in.ok() && in.at_end()) return {};
  return Error{"corrupt", "what group " + std::to_string(number) +
                              "'s checkpoint keeps of its deliveries is damaged; restore the data "
                              "directory from a backup"};
}

// --- What the outbox asks -----------------------------------------------------------------------

void Deliveries::attempting(Hash128 key, std::uint64_t, std::function<void(Result<void>)> then) {
  std::string customer;
  for (const auto& group : of_group_) {
    const std::lock_guard lock(group->mutex);
    const auto found = group->open.find(key);
    if (found != group->open.end()) customer = found->second.send.delivery.customer;
  }
  if (customer.empty()) return then(Error{"settled", "this delivery has its receipt already"});
  if (auto taken = submit_(durable::AttemptFor{std::move(customer), key}, then); !taken)
    then(std::move(taken).error());
}

bool Deliveries::is_wanted(Hash128 key) const {
  for (const auto& group : of_group_) {
    const std::lock_guard lock(group->mutex);
    const auto found = group->open.find(key);
    if (found != group->open.end()) return found->second.wanted;
  }
  return true;
}

Result<std::vector<runtime::OpenDeliveries::Open>> Deliveries::take_open() {
  std::vector<Open> all;
  for (const auto& group : of_group_) {
    const std::lock_guard lock(group->mutex);
    const auto begin = static_cast<std::ptrdiff_t>(all.size());
    for (const auto& [key, open] : group->open)
      if (has_channel(open.send.delivery)) all.push_back({open.send, open.attempted});
    if (dress_)
      for (auto each = all.begin() + begin; each != all.end(); ++each)
        dress_(each->send.delivery, each->send.decided);
    std::stable_sort(all.begin() + begin, all.end(), [](const Open& a, const Open& b) {
      return a.send.position < b.send.position;
    });
  }
  return all;
}

std::vector<durable::AttemptFor> Deliveries::unattempted() const {
  std::vector<durable::AttemptFor> all;
  for (const auto& group : of_group_) {
    const std::lock_guard lock(group->mutex);
    for (const auto& [key, open] : group->open)
      if (!open.attempted) all.push_back({open.send.delivery.customer, key});
  }
  return all;
}

std::vector<durable::ReceiptFor> Deliveries::without_channel(Timestamp now) const {
  std::vector<durable::ReceiptFor> failed;
  for (const auto& group : of_group_) {
    const std::lock_guard lock(group->mutex);
    for (const auto& [key, open] : group->open)
      if (!has_channel(open.send.delivery))
        failed.push_back({open.send.delivery.customer, {key, now, Failure::Failed}});
  }
  return failed;
}

// --- For others ---------------------------------------------------------------------------------

std::map<std::string, runtime::CampaignFigures> Deliveries::figures() const {
  std::map<std::string, runtime::CampaignFigures> all;
  for (const auto& group : of_group_) {
    const std::lock_guard lock(group->mutex);
    for (const auto& [campaign, figures] : group->figures) all[campaign].add(figures);
  }
  return all;
}

Result<void> Deliveries::tell(store::Timeline& timeline) {
  for (const auto& group : of_group_) {
    {
      const std::lock_guard lock(group->mutex);
      if (group->at_hand.empty()) group->at_hand.swap(group->untold);
    }
    // Only this call changes `at_hand` once the group is at work, and freeze() reads it.
    KOI_TRY(timeline.add(group->at_hand));
    const std::lock_guard lock(group->mutex);
    group->at_hand.clear();
  }
  return {};
}

Result<void> Deliveries::save(store::Sent& sent) {
  for (const auto& group : of_group_) {
    {
      const std::lock_guard lock(group->mutex);
      if (group->being_saved.empty()) group->being_saved.swap(group->unsaved);
    }
    // As in tell(): nobody else changes what is being saved.
    KOI_TRY(sent.add(group->being_saved));
    const std::lock_guard lock(group->mutex);
    group->being_saved.clear();
  }
  return {};
}

std::optional<store::SentMessage> Deliveries::unsaved(store::SentName name) const {
  for (const auto& group : of_group_) {
    const std::lock_guard lock(group->mutex);
    for (const auto* const list : {&group->unsaved, &group->being_saved})
      for (const store::SentMessage& message : *list)
        if (message.name() == name) return message;
  }
  return std::nullopt;
}

}  // namespace koi::serve
