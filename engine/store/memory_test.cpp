#include "store/memory.h"

#include "store/conformance.h"

namespace koi::store {
namespace {

struct MemoryWorld {
  std::unique_ptr<Journal> journal(Groups groups) {
    return std::make_unique<MemoryJournal>(groups);
  }
  std::unique_ptr<Store> store(Groups groups) { return std::make_unique<MemoryStore>(groups); }
};

}  // namespace

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, JournalConformance, MemoryWorld);
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreConformance, MemoryWorld);

}  // namespace koi::store
