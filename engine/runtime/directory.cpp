#include "runtime/directory.h"

#include <algorithm>

#include "base/assert.h"
#include "base/hash.h"

namespace koi::runtime {

namespace {
// Of the table alone; not stored, so it may change.
std::uint64_t table_hash(std::string_view key) { return hash64(key, 0x64697265); }
}  // namespace

std::string_view MemoryLinks::Home::entry(std::uint32_t at, std::string_view& key) const {
  const char* from = bytes_.data() + at - 1;
  const auto size = [&](int i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(from[2 * i])) |
           static_cast<std::size_t>(static_cast<unsigned char>(from[2 * i + 1])) << 8;
  };
  key = {from + 4, size(0)};
  return {from + 4 + size(0), size(1)};
}

std::string_view MemoryLinks::Home::find(std::string_view key, std::uint64_t hash) const {
  if (slots_.empty()) return {};
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t i = hash;; ++i) {
    const Slot& slot = slots_[i & (slots_.size() - 1)];
    if (slot.at == 0) return {};
    if (slot.tag != tag) continue;
    std::string_view known;
    const std::string_view customer = entry(slot.at, known);
    if (known == key) return customer;
  }
}

void MemoryLinks::Home::insert(std::string_view key, std::uint64_t hash,
                               std::string_view customer) {
  KOI_ASSERT(key.size() < 0x10000 && customer.size() < 0x10000 && !customer.empty());
  KOI_ASSERT(bytes_.size() + key.size() + customer.size() + 4 < 0xffffffff);
  if (4 * (count_ + 1) > 3 * slots_.size()) {
    std::vector<Slot> old(std::max<std::size_t>(8, slots_.size() * 2));
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.at == 0) continue;
      std::string_view known;
      entry(slot.at, known);
      std::size_t i = table_hash(known);
      while (slots_[i & (slots_.size() - 1)].at != 0) ++i;
      slots_[i & (slots_.size() - 1)] = slot;
    }
  }
  std::size_t i = hash;
  while (slots_[i & (slots_.size() - 1)].at != 0) ++i;
  slots_[i & (slots_.size() - 1)] = {static_cast<std::uint32_t>(hash >> 32),
                                     static_cast<std::uint32_t>(bytes_.size() + 1)};
  // By a quarter, not by half: there are 1,024 homes, and what they do not use adds up.
  const std::size_t needed = bytes_.size() + key.size() + customer.size() + 4;
  if (needed > bytes_.capacity()) bytes_.reserve(needed + needed / 4);
  for (const std::size_t size : {key.size(), customer.size()}) {
    bytes_.push_back(static_cast<char>(size & 0xff));
    bytes_.push_back(static_cast<char>(size >> 8));
  }
  bytes_.insert(bytes_.end(), key.begin(), key.end());
  bytes_.insert(bytes_.end(), customer.begin(), customer.end());
  ++count_;
}

std::string_view MemoryLinks::find(std::string_view key) {
  return homes_[partition_of(key)].find(key, table_hash(key));
}

void MemoryLinks::link(std::string_view key, std::string_view customer) {
  homes_[partition_of(key)].insert(key, table_hash(key), customer);
  ++size_;
}

std::string_view Directory::key_of(IdentifierId kind, std::string_view value) {
  key_.assign(schema_.identifiers[kind.index()]).append(1, ':').append(value);
  return key_;
}

std::string_view Directory::stays(std::string_view customer) const {
  for (auto place = gone_.find(customer); place != gone_.end(); place = gone_.find(customer))
    customer = place->second;
  return customer;
}

// Is it what the source calls him, and no id that was made here?
bool Directory::is_name(std::string_view customer) const {
  const std::size_t colon = customer.find(':');
  return colon == std::string_view::npos ||
         schema_.find_identifier(customer.substr(0, colon)).is_none();
}

void Directory::apart(const Met& met, const std::string& customer) {
  apart_.emplace(customer, stays(met.customer), met.link);
  ++conflicts_;
}

bool Directory::are_apart(std::string_view customer, std::string_view other,
                          IdentifierId link) const {
  if (is_name(customer) && is_name(other)) return true;
  return !apart_.empty() && apart_.contains(std::tuple(customer, other, link));
}

void Directory::renew(Event& event) const {
  if (gone_.empty()) return;
  event.customer.assign(stays(event.customer));
  std::erase_if(event.met, [&](Met& met) {
    met.customer.assign(stays(met.customer));
    if (met.customer != event.customer) return false;
    event.identifiers.push_back(std::move(met.identifier));
    return true;
  });
}

// The subject's customer, where it is an identifier.
void Directory::find_customer(Incoming& incoming) {
  Event& event = incoming.event;
  const Identifier subject{incoming.subject_kind, event.customer};
  subject_key_.assign(key_of(subject.kind, subject.text));
  std::string_view customer = links_.find(subject_key_);
  const bool is_new = customer.empty();
  if (is_new) {
    IdentifierId surest;
    for (const Identifier& each : event.identifiers) {
      if (surest && each.kind >= surest) continue;
      const std::string_view known = links_.find(key_of(each.kind, each.text));
      if (known.empty()) continue;
      if (each.kind >= subject.kind) continue;
      event.customer.assign(known);
      surest = each.kind;
    }
    if (surest.is_none()) event.customer.assign(subject_key_);
    links_.link(subject_key_, event.customer);
  } else {
    event.customer.assign(customer);
  }
  if (std::find(event.identifiers.begin(), event.identifiers.end(), subject) ==
      event.identifiers.end())
    event.identifiers.push_back(subject);
}

void Directory::resolve(Incoming& incoming) {
  Event& event = incoming.event;
  event.met.clear();
  if (incoming.subject_kind) find_customer(incoming);
  if (!gone_.empty()) event.customer.assign(stays(event.customer));
  if (event.identifiers.empty()) return;
  std::erase_if(event.identifiers, [&](Identifier& identifier) {
    const std::string_view key = key_of(identifier.kind, identifier.text);
    const std::string_view owner = links_.find(key);
    if (owner.empty()) {
      links_.link(key, event.customer);
      return false;
    }
    const std::string_view other = stays(owner);
    if (other == event.customer) return false;
    event.met.push_back({std::move(identifier), std::string(other), {}});
    return true;
  });
  if (event.met.empty()) return;

  IdentifierId surest;  // by which the event names its customer; none: by his id
  if (incoming.subject_kind)
    for (const Identifier& each : event.identifiers)
      if (surest.is_none() || each.kind < surest) surest = each.kind;
  std::erase_if(event.met, [&](Met& met) {
    const IdentifierId kind = met.identifier.kind;
    met.link = surest.is_none() ? kind : std::max(surest, kind);
    if (surest == kind) met.link = IdentifierId::of(kind.index() + 1);
    if (!are_apart(event.customer, met.customer, met.link)) return false;
    ++conflicts_;
    return true;
  });
}

}  // namespace koi::runtime
