// Pools: codes that were made elsewhere, as they are uploaded over HTTP, and what is left of them.
// docs/operating.md lists it for those who call it. A code is worth money: none is in any answer or
// log.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/call.h"
#include "durable/writer.h"
#include "net/server.h"
#include "plan/plan.h"
#include "store/groups.h"
#include "store/store.h"

namespace koi::serve {

// Is it `/v1/pools/NAME/codes`?
bool is_of_pools(std::string_view path);

// What one request brings, as the calls that it is: so many codes each, in their order.
struct Upload {
  std::vector<durable::Given> calls;
  std::uint64_t codes = 0;
  std::uint64_t unfit = 0;        // lines that are no codes
  std::uint64_t first_unfit = 0;  // the number of the first of them, from 1 on
  // Codes that a coupon may generate, which are left out as well; the first one's line, and whose.
  std::uint64_t generated = 0, first_generated = 0;
  std::string generated_by{};
};
// The body has a code a line: as it is, or as a JSON text, or in `{"code": …}`. Error "pool": the
// rules have none of that name; "body": there is not one code that can be taken.
Result<Upload> read_upload(const plan::Plan& plan, const net::Asked& asked);
// `left`: codes of the pool that nobody was given yet.
net::Answer upload_answer(const Upload& upload, const std::vector<durable::Answer>& answers,
                          std::uint64_t left);
// The name in the path.
std::string_view pool_of(std::string_view path);

// What was uploaded to each pool of the rules, and given of it, as of the last checkpoint.
struct PoolStock {
  std::string pool, incentive;
  std::uint64_t uploaded = 0, given = 0, left = 0;
  std::int64_t low_at = 0;
};
Result<std::vector<PoolStock>> stocks(const store::Store& store, store::Groups groups,
                                      const plan::Plan& plan);
std::string to_json(const std::vector<PoolStock>& stocks);

}  // namespace koi::serve
