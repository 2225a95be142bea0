// StoredLinks: the directory's identifiers on disk, the last used of them in memory too.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/directory.h"
#include "store/identifiers.h"

namespace koi::serve {

// One thread's own. The directory asks and links; the first error on the way is kept until commit()
// gives it, and whatever was resolved since the last commit() must then be thrown away.
class StoredLinks final : public runtime::Links {
 public:
  // `identifiers` must outlive it.
  explicit StoredLinks(store::Identifiers& identifiers) : identifiers_(identifiers) {}

  std::string_view find(std::string_view key) override;
  void link(std::string_view key, std::string_view customer) override;

  // Makes what was linked durable.
  Result<void> commit();

 private:
  store::Identifiers& identifiers_;
  std::optional<runtime::MemoryLinks> known_{std::in_place};
  std::string found_;
  std::optional<Error> error_;
};

}  // namespace koi::serve
