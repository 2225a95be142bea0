// Bare: the same requests by libcurl alone: its multi interface on epoll, handles that are used
// again, headers made once. What a connector adds is measured against it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace koi::bench {

// Posts `body` so often, by so many connections; seconds that it took. Gives up the process where
// an answer is not 204.
double bare_seconds(std::uint16_t port, const std::vector<std::string>& headers,
                    const std::string& body, std::size_t count, std::size_t connections);

}  // namespace koi::bench
