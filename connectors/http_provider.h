// A pretend provider that speaks HTTP, on a thread of its own: for the tests of connectors. What
// its answers look like is given; when to give which is scripted (channel/provider.h).
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "channel/provider.h"
#include "net/server.h"

namespace koi::connectors {

// A file with that text, for a setting that names one: its path.
inline std::string file_with(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + "koi_" + name;
  std::ofstream(path) << text;
  return path;
}

class HttpProvider : public channel::Provider {
 public:
  struct Script {
    // The key under which a request came; nothing where it is not as the provider wants it (a wrong
    // signature or token, a field that is missing): then the answer is `denied`.
    std::function<std::optional<std::string>(const net::Asked&)> key_of;
    net::Answer accepted{.status = 200};
    // Instead of `accepted`, where an answer repeats what was asked.
    std::function<net::Answer(const net::Asked&)> answer;
    net::Answer refused{.status = 400};
    std::map<Failure, net::Answer> refusals;  // why else it can refuse one
    net::Answer busy{.status = 429, .headers = {{"Retry-After", "7"}}};
    net::Answer nonsense{.status = 500, .body = "<html>"};
    net::Answer denied{.status = 401};
    // What is no delivery, such as a request for a token; nothing where it is one.
    std::function<std::optional<net::Answer>(const net::Asked&)> aside;
    // Forgets the tokens that it lent; none: it lends none.
    std::function<void()> forget;
    bool knows_again = true;  // a key that it has seen has no second effect
  };

  explicit HttpProvider(Script script);
  ~HttpProvider() override;

  std::vector<channel::Act> acts() const override;
  void next(channel::Act act) override;
  std::vector<Failure> refusals() const override;
  void refuse_next(Failure failure) override;
  std::optional<Duration> busy_for() const override;
  std::vector<std::string> accepted() const override;
  std::size_t effects(const std::string& key) const override;

  // "http://127.0.0.1:PORT", or where nobody listens after next(Unreachable).
  std::string address() const;
  // For `answer_within`: short where it will not answer, so that silence is soon over.
  std::string within() const;
  // Every later request is answered so.
  void say(net::Answer answer);
  net::Asked last() const;  // the last request

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace koi::connectors
