#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace koi {

void assertion_failed(const char* claim, const char* file, int line) {
  std::fprintf(stderr, "koi: broken invariant: %s (%s:%d)\n", claim, file, line);
  std::abort();
}

}  // namespace koi
