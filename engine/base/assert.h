// KOI_ASSERT: a claim about our own code, checked in every build. A false one stops the process
// with the claim and its place: going on with a broken invariant could send or pay twice.
#pragma once

namespace koi {
// Prints the broken claim to standard error and aborts.
[[noreturn]] void assertion_failed(const char* claim, const char* file, int line);
}  // namespace koi

#define KOI_ASSERT(claim) \
  ((claim) ? static_cast<void>(0) : ::koi::assertion_failed(#claim, __FILE__, __LINE__))
