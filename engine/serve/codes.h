// Codes: what people scan to come to a channel, made on request by its connector.
#pragma once

#include <asio/any_io_executor.hpp>
#include <vector>

#include "net/server.h"
#include "runtime/outbox.h"

namespace koi::serve {

// POST /v1/codes?channel=NAME&scene=SCENE[&days=N]: 200 with the address of the picture, 400 where
// the request is wrong, 404 where no channel of that name makes codes, 502 with why its provider
// made none. On the executor's thread.
void make_code(const asio::any_io_executor& executor, const std::vector<runtime::Lane>& lanes,
               const net::Asked& asked, net::Reply reply);

}  // namespace koi::serve
