#include "store/over.h"

#include <list>

#include "store/conformance.h"
#include "store/memory.h"

namespace koi::store {
namespace {

struct OverWorld {
  std::unique_ptr<Journal> journal(Groups groups) {
    return std::make_unique<JournalOver>(journals.emplace_back(groups));
  }
  std::unique_ptr<Store> store(Groups groups) {
    return std::make_unique<StoreOver>(stores.emplace_back(groups));
  }
  std::list<MemoryJournal> journals;
  std::list<MemoryStore> stores;
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Over, JournalConformance, OverWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Over, StoreConformance, OverWorld);

}  // namespace koi::store
