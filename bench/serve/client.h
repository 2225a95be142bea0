// Client: HTTP over keep-alive connections from one thread, as cheap as it can be, because it takes
// its share of the machine that is measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace koi::bench {

struct Asked {
  double seconds = 0;
  std::vector<double> took;   // milliseconds of each request, sorted
  std::uint64_t refused = 0;  // answers other than 200; each was sent again
};

// Sends each request once, over so many connections, one at a time on each. Ends the process where
// the server is gone.
Asked ask(std::uint16_t port, const std::vector<std::string>& requests, std::size_t connections);

// POST /v1/events with that body.
std::string request(const std::string& body);
// POST to that path, under that name (Idempotency-Key).
std::string request(const std::string& path, const std::string& body, const std::string& key);

}  // namespace koi::bench
