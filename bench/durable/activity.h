// Activity: who comes next, drawn beforehand so that drawing costs nothing while it is measured.
#pragma once

#include <time.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace koi::bench {

// Customers 0 … n-1, `length` draws that are gone through again and again. Zipf with that exponent,
// its ranks spread over the ids; 0: any customer may come next.
inline std::vector<std::uint32_t> activity(std::uint32_t n, double exponent, std::size_t length) {
  std::mt19937_64 chance(1);
  std::vector<std::uint32_t> drawn(length);
  if (exponent == 0) {
    for (std::uint32_t& each : drawn) each = static_cast<std::uint32_t>(chance() % n);
    return drawn;
  }
  std::vector<double> below(n);
  double sum = 0;
  for (std::uint32_t rank = 0; rank < n; ++rank)
    below[rank] = sum += 1 / std::pow(rank + 1.0, exponent);
  std::uniform_real_distribution<double> place(0, sum);
  for (std::uint32_t& each : drawn) {
    const auto rank = std::lower_bound(below.begin(), below.end(), place(chance)) - below.begin();
    // An odd multiplier without a factor of n: every rank another customer.
    each = static_cast<std::uint32_t>((static_cast<std::uint64_t>(rank) * 7'368'787) % n);
  }
  return drawn;
}

// Bytes that this process has had written to disks.
inline std::uint64_t written_bytes() {
  std::uint64_t bytes = 0;
  if (FILE* io = std::fopen("/proc/self/io", "r")) {
    char key[64];
    unsigned long long value = 0;
    while (std::fscanf(io, "%63s %llu", key, &value) == 2)
      if (std::strcmp(key, "write_bytes:") == 0) bytes = value;
    std::fclose(io);
  }
  return bytes;
}

// That all threads of this process have taken.
inline double processor_seconds() {
  timespec taken{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &taken);
  return static_cast<double>(taken.tv_sec) + static_cast<double>(taken.tv_nsec) / 1e9;
}

inline std::uint64_t peak_mib() {
  std::uint64_t kib = 0;
  if (FILE* status = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, status))
      if (std::strncmp(line, "VmHWM:", 6) == 0) kib = std::strtoull(line + 6, nullptr, 10);
    std::fclose(status);
  }
  return kib >> 10;
}

}  // namespace koi::bench
