// Places: where the codes lead that inputs name. Where several groups serve the customers, whoever
// holds a code may belong to another group than who names it; so every group is asked before the
// input is taken in, and the input carries what was found. Who can name a code was told it, behind
// the batch in which it was made: it is there to be found. With one group nobody is asked.
//
// Whoever has turned out to be a customer of another group is for some milliseconds on his way
// there, with his codes. Who asks for him then is let wait, and told "busy" where it takes too
// long.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/call.h"
#include "durable/writers.h"
#include "model/event.h"
#include "plan/plan.h"
#include "serve/later.h"

namespace koi::serve {

class Places {
 public:
  // Both must outlive it, and nobody may ask it any more when it goes; the writers answer what they
  // were asked for before they stop.
  Places(const plan::Plan& plan, durable::Writers& writers);
  // Where the writers' threads run: from here on whoever is on his way is waited for.
  void start() { waits_ = true; }

  // Gives the inputs back, each with the places of its codes, in their order: at once where none
  // names a code, else on a thread that decides, or on one of this. Errors are the writers', "busy"
  // for their "moved". Thread-safe.
  using Found = std::function<void(Result<std::vector<durable::Given>>)>;
  void find(std::vector<durable::Given> inputs, Found found);

  // The same of a call, which is then the customer's to whom its code leads where it names nobody;
  // nobody's still where that code leads nowhere.
  void find(core::Call call, std::function<void(Result<core::Call>)> found);

  // The same of an event, waiting; never on a thread that decides.
  Result<Event> found(Event event);

  // As Writers::find_customer, where he has come; the same way.
  void find_customer(std::string customer, std::function<void(Result<std::string>)> then);

  // When these refusals, which the writers have taken, have come to where their customers are by
  // now (refusals.h); the same way. Nothing is lost where it says "busy": they come, and may be
  // sent again.
  void wait_for(std::vector<Event> refusals, std::function<void(Result<bool>)> then);

  // Returns when all that was asked for is found and given back; nobody is waited for any more.
  // Thread-safe.
  void settle();

 private:
  // What an event of each type says in codes, by the number of the field.
  struct CodeField {
    std::size_t field = 0;
    bool is_scene = false;  // a link's or a picture's: the code is in it
  };
  void add_codes(const Event& event, std::vector<std::string>& into) const;
  using Asked = std::function<void(Result<std::vector<CodePlace>>)>;
  void ask(std::vector<std::string> codes, Asked then);
  template <class Found, class Ask>
  void ask_until_there(Ask ask, std::function<void(Result<Found>)> then);
  template <class Found, class Ask>
  void try_to_ask(Ask ask, std::function<void(Result<Found>)> then, int tries);

  const plan::Plan& plan_;
  durable::Writers& writers_;
  std::vector<std::vector<CodeField>> fields_;  // by event type; empty with one group
  // Of what is asked for; shared with those who answer.
  struct Pending {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t count = 0;
  };
  std::shared_ptr<Pending> pending_ = std::make_shared<Pending>();
  std::atomic<bool> waits_ = false;
  Later later_;
};

}  // namespace koi::serve
