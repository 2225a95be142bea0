// Promises: what must hold of a deployment whatever happened to it, told as functions that record a
// breach where one does not.
#pragma once

#include "clients.h"
#include "providers.h"
#include "record.h"
#include "replay.h"
#include "serve/engine.h"

namespace koi::simulator {

// Of what the journal leads to, by itself: caps, consent, quiet hours, `enter once`. Rules that
// took turns had the same policy.
void check_decisions(const plan::Plan& plan, const Replay& replay, Record& record);

// Every acknowledged event is in the journal, is applied once whatever its source did, and was
// acknowledged as what it is.
void check_answers(const Replay& replay, const Clients& clients, Record& record);

// The deployment, all of whose inputs are stepped, stands where the journal leads to: states,
// what is open, figures, whose identifiers are.
void check_standing(const plan::Plan& plan, const Replay& replay, serve::Engine& deployment,
                    store::Identifiers& identifiers, Record& record);

// Nothing reached a provider without a cause or otherwise than it was decided, and receipts say
// what is true.
void check_providers(const Replay& replay, const Providers& providers, Record& record);

}  // namespace koi::simulator
