// Figures: what an engine has done, as JSON for programs, as text for Prometheus, as a page for
// people. On the executor's thread, since the outbox is asked.
#pragma once

#include <map>
#include <string>

#include "base/time.h"
#include "runtime/clock.h"
#include "runtime/summary.h"
#include "serve/callbacks.h"
#include "serve/engine.h"
#include "serve/reception.h"
#include "serve/referrals.h"
#include "serve/touches.h"
#include "store/directory.h"
#include "store/groups.h"
#include "store/store.h"
#include "store/timeline.h"

namespace koi::serve {

struct Shown {
  const plan::Plan& plan;
  std::string rules;    // the bundle's name
  std::string version;  // of Koi
  const runtime::Clock& clock;
  const store::Directory& directory;
  const store::Timeline& timeline;
  const store::Store& store;
  store::Groups groups;
};

// The campaigns of the rules in their order, each with what it did since the data began, and their
// referrals; where they have prize draws, the commitment to the key by which all are drawn.
std::string campaigns_json(const plan::Plan& plan, std::string_view rules,
                           const std::map<std::string, runtime::CampaignFigures>& figures,
                           const ReferralFigures& referrals);

// For Prometheus (exposition.h); what referrals have come to is told by metrics_of().
std::string metrics_text(const Shown& shown, Engine& engine, const Reception& reception,
                         const Callbacks& callbacks, const Touches* touches, Duration up);

// A page without scripts that draws itself anew every few seconds.
std::string status_page(const Shown& shown, Engine& engine, Duration up);

}  // namespace koi::serve
