#include "deploy/leads.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "core/accounts.h"
#include "core/books.h"

namespace koi::deploy {

namespace books = core::books;

Leads::Leads(const plan::Plan& from, const plan::Plan& to) : to_(to) {
  for (std::size_t i = 0; i < to.referrals.size(); ++i) {
    const std::string& name = to.referrals[i].symbol.name;
    const bool is_known =
        std::any_of(from.referrals.begin(), from.referrals.end(),
                    [&](const plan::Referral& each) { return each.symbol.name == name; });
    if (!is_known) referrals_.push_back(plan::ReferralId::of(i));
  }
}

Result<std::vector<store::Shared>> Leads::of(std::span<const store::Saved> customers,
                                             const store::Store& store, store::Group group) const {
  std::map<std::string, std::string> made;
  for (const plan::ReferralId id : referrals_) {
    const std::string& name = to_.referrals[id.index()].symbol.name;
    std::uint64_t more = 0;
    for (const store::Saved& each : customers) {
      if (each.bytes.empty()) continue;  // who is not there any more
      std::string key = books::key_of_lead(core::invite_code(to_, id, each.customer));
      KOI_LET(const std::string there, store.shared(group, key));
      if (!there.empty()) continue;
      made[std::move(key)] = books::encode(books::Lead{each.customer, {}, name});
      ++more;
    }
    if (more == 0) continue;
    std::string key = books::key_of_tally(name, books::Tally::Customers);
    KOI_LET(const std::string bytes, store.shared(group, key));
    KOI_LET(const std::uint64_t before, books::number_of(bytes));
    made[std::move(key)] = books::encode(before + more);
  }
  std::vector<store::Shared> shared;
  for (auto& [key, bytes] : made) shared.push_back({key, std::move(bytes)});
  return shared;
}

}  // namespace koi::deploy
