#include <string>

#include "base/time.h"
#include "cli/command.h"

namespace koi::cli {

std::function<int()> add_version(CLI::App&) {
  return
      [] { return print("koi " KOI_VERSION " (time zone rules " + zone_rules_version() + ")\n"); };
}

}  // namespace koi::cli
