#include "deploy/link.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "compile/index.h"
#include "deploy/detail/bringing.h"
#include "deploy/meaning.h"

namespace koi::deploy {

namespace {

using Version = std::pair<std::string, std::uint64_t>;
std::set<Version> versions_of(const plan::Plan& plan) {
  Meaning meaning(plan);
  std::set<Version> versions;
  for (const plan::Campaign& campaign : plan.campaigns)
    versions.emplace(campaign.symbol.name, meaning.version_of(campaign));
  return versions;
}

}  // namespace

std::vector<Former> former_for_others(const plan::Plan& rules, const plan::Plan& against) {
  std::set<Version> known = versions_of(rules);
  std::vector<Former> former;
  for (const Version& each : versions_of(against))
    if (!known.contains(each)) former.push_back({against, each.first, each.second});
  return former;
}

Result<void> check_canary(const plan::Plan& against, const plan::Plan& rules) {
  std::string lost;
  const auto want = [&](const char* what, const std::string& name, bool is_there) {
    if (!is_there) lost += (lost.empty() ? "" : ", ") + std::string(what) + " `" + name + "`";
  };
  const auto has = [](const auto& list, const std::string& name, const auto& symbol_of) {
    return std::find_if(list.begin(), list.end(),
                        [&](const auto& each) { return symbol_of(each).name == name; });
  };
  const auto own = [](const auto& each) -> const Symbol& { return each.symbol; };
  const auto itself = [](const Symbol& each) -> const Symbol& { return each; };
  const auto same_type = [](const Type& a, const Type& b) {
    return a.kind == b.kind && a.element == b.element;
  };
  for (const plan::Channel& each : against.channels)
    want("channel", each.symbol.name,
         has(rules.channels, each.symbol.name, own) != rules.channels.end());
  for (const Symbol& each : against.teams)
    want("team", each.name, has(rules.teams, each.name, itself) != rules.teams.end());
  for (const Symbol& each : against.webhooks)
    want("webhook", each.name, has(rules.webhooks, each.name, itself) != rules.webhooks.end());
  for (const Attribute& each : against.schema.attributes) {
    const auto found = has(rules.schema.attributes, each.symbol.name, own);
    want("attribute", each.symbol.name,
         found != rules.schema.attributes.end() && same_type(found->type, each.type));
  }
  for (const EventType& each : against.schema.events) {
    const auto found = has(rules.schema.events, each.symbol.name, own);
    want("event", each.symbol.name, found != rules.schema.events.end());
    if (found == rules.schema.events.end()) continue;
    for (const Field& field : each.fields) {
      const auto there = has(found->fields, field.symbol.name, own);
      want("field", each.symbol.name + "." + field.symbol.name,
           there != found->fields.end() && same_type(there->type, field.type));
    }
  }
  if (lost.empty()) return {};
  return Error{
      "canary",
      "all others keep the former campaigns, and these rules do not declare what those may "
      "use: " +
          lost + "; keep it until the canary is promoted"};
}

Result<plan::Plan> link(plan::Plan rules, std::span<const Former> former,
                        const std::optional<Canary>& canary) {
  std::vector<Former> all(former.begin(), former.end());
  const std::size_t closed_for_all = all.size();
  if (canary) {
    const auto others = former_for_others(rules, canary->against);
    for (const Former& each : others) all.push_back(each);
    const std::set<Version> known = versions_of(canary->against);
    Meaning meaning(rules);
    std::vector<bool> is_new;
    for (const plan::Campaign& campaign : rules.campaigns)
      is_new.push_back(
          !known.contains(Version(campaign.symbol.name, meaning.version_of(campaign))));
    for (std::size_t i = 0; i < is_new.size(); ++i)
      if (is_new[i]) rules.campaigns[i].takes_to = canary->millionths;
    rules.canary = canary->drawn_by;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Former& each = all[i];
    Meaning meaning(each.rules);
    const auto found = std::find_if(
        each.rules.campaigns.begin(), each.rules.campaigns.end(),
        [&](const plan::Campaign& campaign) { return campaign.symbol.name == each.campaign; });
    if (found == each.rules.campaigns.end() || meaning.version_of(*found) != each.version)
      return Error{"corrupt", "deployment.json keeps a version of campaign `" + each.campaign +
                                  "` that its bundle has not"};
    Bringing bringing(each.rules, rules, Bringing::Clash::Missing);
    const std::uint32_t takes_from = i < closed_for_all ? 1'000'000 : canary->millionths;
    plan::Campaign closed = bringing.campaign(*found, each.version, takes_from);
    KOI_ASSERT(rules.campaigns.size() < 0xffff);
    rules.campaigns.push_back(std::move(closed));
  }
  std::stable_sort(
      rules.campaigns.begin(), rules.campaigns.end(),
      [](const plan::Campaign& a, const plan::Campaign& b) {
        return std::tuple(-a.priority, std::string_view(a.symbol.name), a.closed, a.version) <
               std::tuple(-b.priority, std::string_view(b.symbol.name), b.closed, b.version);
      });
  std::map<std::string, std::vector<plan::CampaignId>> versions;
  for (std::size_t i = 0; i < rules.campaigns.size(); ++i)
    versions[rules.campaigns[i].symbol.name].push_back(plan::CampaignId::of(i));
  for (const auto& [name, ids] : versions) {
    if (ids.size() == 1) continue;
    // The open one where there is one: it goes on when the others are over.
    const auto open = std::find_if(ids.begin(), ids.end(), [&](plan::CampaignId id) {
      return !rules.campaigns[id.index()].closed;
    });
    const plan::CampaignId book = open == ids.end() ? ids.front() : *open;
    for (const plan::CampaignId id : ids) {
      plan::Campaign& campaign = rules.campaigns[id.index()];
      campaign.entries = book;
      for (const plan::CampaignId other : ids)
        if (other != id) campaign.others.push_back(other);
    }
  }
  rules.schema.index();
  compile::index_conditions(rules);
  return rules;
}

Result<const plan::Plan*> Plans::of(Hash128 bundle) {
  const auto known = plans_.find(bundle);
  if (known != plans_.end()) return static_cast<const plan::Plan*>(&known->second);
  KOI_LET(const Bundle read, bundles_.read(bundle));
  auto compiled = compile_former(read);
  if (!compiled)
    return Error{compiled.error().code,
                 compiled.error().what +
                     "\nthe data was decided by it and cannot be read without it; deploy with the "
                     "version of Koi that it was live under"};
  plan::Plan plan = *std::move(compiled);
  return static_cast<const plan::Plan*>(&plans_.emplace(bundle, std::move(plan)).first->second);
}

Result<const plan::Plan*> Plans::of(const Turn& turn) {
  const Hash128 name = name_of(turn);
  const auto known = plans_.find(name);
  if (known != plans_.end()) return static_cast<const plan::Plan*>(&known->second);
  KOI_LET(const plan::Plan* own, of(turn.bundle));
  if (turn.kept.empty() && turn.ways.canary == 0) return own;
  std::vector<Former> former;
  for (const Kept& each : turn.kept) {
    KOI_LET(const plan::Plan* rules, of(each.bundle));
    former.push_back({*rules, each.campaign, each.version});
  }
  std::optional<Canary> canary;
  if (turn.ways.canary != 0) {
    KOI_LET(const plan::Plan* against, of(turn.against));
    canary.emplace(Canary{turn.bundle.high, turn.ways.canary, *against});
  }
  KOI_LET(plan::Plan linked, link(*own, former, canary));
  return static_cast<const plan::Plan*>(&plans_.emplace(name, std::move(linked)).first->second);
}

}  // namespace koi::deploy
