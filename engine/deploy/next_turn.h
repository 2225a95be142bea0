// Next turn: what follows the live rules, as far as it is known before anybody is carried over:
// whether it may, and which versions of campaigns are linked to it.
#pragma once

#include <functional>
#include <vector>

#include "base/hash.h"
#include "base/result.h"
#include "deploy/census.h"
#include "deploy/deployment.h"
#include "deploy/link.h"

namespace koi::deploy {

// Whether the bundle may follow what is live, in these ways. Errors "ways", "migrate", "stop" and
// "canary", and those of the plans.
Result<void> check_next(Plans& plans, const Deployment& deployment, Hash128 bundle,
                        const Ways& ways);

// What a canary of the bundle leaves to all others. One whose share is changed, what it was before.
Hash128 against_of(const Turn& live, Hash128 bundle);

// What is to be linked to `next`: campaigns of `live` that its bundle has otherwise or not at all,
// as far as somebody is under way in them, or may still come to be: where `goes_on` says that the
// live rules will decide after the census. Those that a canary leaves to the others are there
// anyhow. The census is of the live plan, and taken only if it is needed.
Result<std::vector<Kept>> to_keep(Plans& plans, const Turn& live, const Turn& next, bool goes_on,
                                  const std::function<Result<Census>()>& census);

}  // namespace koi::deploy
