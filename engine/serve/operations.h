// Operations: what those who run a server ask of it while it serves: other rules live, the former
// ones back, a backup, and how things stand. The asking is the network's; the doing is one other
// thread's.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "deploy/census.h"
#include "deploy/deploy.h"
#include "net/server.h"
#include "serve/explain.h"

namespace koi::serve {

class Operations {
 public:
  struct Wish {
    enum class Kind : std::uint8_t { Deploy, Promote, Rollback, Backup, Status, Explain, Open };
    Kind kind = Kind::Status;
    std::uint64_t number = 0;  // of the first four, from 1 on
    std::string package;       // of a deploy: the bytes of a `.koib`
    deploy::Said said;
    deploy::Ways ways;
    bool is_preview = false;  // says whom the ways would move, and does nothing
    Question question;        // of an explanation
    std::function<void(Result<std::string>)> answer;  // of the last three: JSON; thread-safe
  };
  struct Outcome {
    std::string told;                    // the report, or what went wrong
    std::string code;                    // of an error; empty: it is …
    std::string_view state = "live";     // … this
    std::chrono::milliseconds pause{0};  // for which events waited
  };

  // `wake` is called on the asking thread when there is something to take().
  explicit Operations(std::function<void()> wake) : wake_(std::move(wake)) {}

  // A request to one of its addresses.
  void handle(net::Asked asked, net::Reply reply);

  std::optional<Wish> take();
  // How what is at hand is coming on, and what became of it.
  void say(std::string stage);
  void over(std::uint64_t number, Outcome outcome);

 private:
  void begin(Wish wish, net::Reply reply);
  void show(std::uint64_t number, net::Reply reply);

  const std::function<void()> wake_;
  std::mutex mutex_;
  std::deque<Wish> wishes_;
  std::uint64_t last_ = 0;  // the last number given
  bool is_busy_ = false;    // with that one
  std::string stage_;
  std::deque<std::pair<std::uint64_t, Outcome>> outcomes_;  // the latest, oldest first
};

// What is live since when, by whom and why, what was before, and who is under way in what.
// `budgets` is the JSON of budgets_json(), `pools` that of pools, `figures` that of
// campaigns_json().
std::string status_json(const deploy::Deployment& deployment, const deploy::Live& live,
                        const deploy::Census& census, std::string_view budgets,
                        std::string_view pools, std::string_view figures);

}  // namespace koi::serve
