// Directory: who an identifier belongs to. Each identifier has a home, the partition of its
// `kind:value`; there, and nowhere else, stands whose it is. Nothing here depends on threads:
// events are resolved one after another, in their order.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "model/partition.h"
#include "model/schema.h"
#include "runtime/decode.h"

namespace koi::runtime {

// Where the links are kept: from an identifier's key, `kind:value`, to its customer.
class Links {
 public:
  virtual ~Links() = default;
  // The customer; empty where the key is unknown. Valid until the next call.
  virtual std::string_view find(std::string_view key) = 0;
  // `key` must be unknown, and `customer` not empty.
  virtual void link(std::string_view key, std::string_view customer) = 0;
};

// All of them in memory.
class MemoryLinks final : public Links {
 public:
  std::string_view find(std::string_view key) override;
  void link(std::string_view key, std::string_view customer) override;
  std::uint64_t size() const { return size_; }

 private:
  // Identifiers of one home: bytes of key and customer one behind the other, found by hash.
  class Home {
   public:
    // Empty where it is unknown. Valid until the next insertion.
    std::string_view find(std::string_view key, std::uint64_t hash) const;
    void insert(std::string_view key, std::uint64_t hash, std::string_view customer);

   private:
    struct Slot {
      std::uint32_t tag = 0;  // the hash's upper half
      std::uint32_t at = 0;   // in bytes_, plus one; 0: free
    };
    std::string_view entry(std::uint32_t at, std::string_view& key) const;
    std::vector<Slot> slots_;
    std::vector<char> bytes_;  // for each: the two sizes, key, customer
    std::size_t count_ = 0;
  };

  std::array<Home, partition_count> homes_;
  std::uint64_t size_ = 0;
};

class Directory {
 public:
  Directory(const Schema& schema, Links& links) : schema_(schema), links_(links) {}

  // Puts the customer's id into the event.
  //   A subject that is a customer id stands for itself.
  //   A known identifier stands for its customer. An unknown one is linked to the customer of the
  //   surest known identifier that the event carries, where it is itself less sure than that, else
  //   to a new customer with the id `kind:value`.
  // New identifiers are linked. One that is another customer's already is put into Event::met: the
  // two may be one person (core/merge.h). Where they cannot be it is a conflict, and dropped.
  void resolve(Incoming& incoming);

  // Whoever has merged customers may say so, for events to find the one who stays at once: renew()
  // does that to an event that was resolved before. They must lead to the one who stays in any
  // case.
  void merged(const std::string& gone, const std::string& stays) { gone_[gone] = stays; }
  // Does not lead from him any more: what is said of him is led by whoever decides.
  void forget(const std::string& gone) { gone_.erase(gone); }
  void renew(Event& event) const;
  std::string_view stays(std::string_view customer) const;
  // These two are two people, for all that such an event can say; from here on it is a conflict.
  void apart(const Met& met, const std::string& customer);

  std::uint64_t conflicts() const { return conflicts_; }

 private:
  std::string_view key_of(IdentifierId kind, std::string_view value);
  bool is_name(std::string_view customer) const;
  bool are_apart(std::string_view customer, std::string_view other, IdentifierId link) const;
  void find_customer(Incoming& incoming);

  const Schema& schema_;
  Links& links_;
  std::string key_, subject_key_;
  std::map<std::string, std::string, std::less<>> gone_;
  std::set<std::tuple<std::string, std::string, IdentifierId>, std::less<>> apart_;
  std::uint64_t conflicts_ = 0;
};

}  // namespace koi::runtime
