// A submission server that is scripted, for the tests: it insists on STARTTLS, on AUTH, on the
// order of the commands and on lines that end with CR LF, and keeps what it took.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "channel/provider.h"

namespace koi::connectors {

class PretendServer final : public channel::Provider {
 public:
  PretendServer();
  ~PretendServer() override;

  std::vector<channel::Act> acts() const override;
  channel::Given settings() const override;
  std::vector<std::string> secrets() const override;
  void next(channel::Act act) override;
  std::vector<Failure> refusals() const override;
  void refuse_next(Failure failure) override;
  Address person() const override { return {"email", "ann@example.com"}; }
  std::vector<std::string> accepted() const override;
  std::size_t effects(const std::string& key) const override;

  // What it answers to a command ("EHLO", "AUTH", "MAIL", "RCPT", "DATA", or "." after the message)
  // instead of what it would; empty: it hangs up;
  // "late LINE": after 2.5 seconds; "silence", "slow", "broken": as the acts of these names.
  void answer(std::string command, std::string line);
  void offer(bool starttls, bool auth);

  struct Taken {
    std::string from, to;  // of the envelope
    std::string message;   // without the dots that were stuffed
  };
  std::vector<Taken> taken() const;
  std::size_t connections() const;
  std::string wrong() const;  // what it heard that no client may say; empty: nothing

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace koi::connectors
