// Tasks: group-send tasks that a member of staff must tap: who is in which, until it is known what
// became of each. In memory; one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "channel/connector.h"

namespace koi::connectors {

class WecomTasks {
 public:
  struct Task {
    std::string number;                      // msgid
    Timestamp ends;                          // then it is cancelled
    std::map<std::string, Hash128> waiting;  // by customer, or by group
    bool is_one = false;                     // all of them are one delivery
    bool has_reached = false;                // one of them at least

    // What became of one; a report where that ends a delivery.
    std::optional<channel::Report> settle(const std::string& who, Failure failure) {
      const auto found = waiting.find(who);
      if (found == waiting.end()) return std::nullopt;
      channel::Report report{found->second, failure};
      waiting.erase(found);
      has_reached = has_reached || failure == Failure::None;
      if (!is_one) return report;
      if (!waiting.empty()) return std::nullopt;
      if (has_reached) report.failure = Failure::None;
      return report;
    }
    // Those that nothing became of have failed.
    std::vector<channel::Report> settle_rest() {
      std::vector<channel::Report> reports;
      while (!waiting.empty())
        if (const auto report = settle(std::string(waiting.begin()->first), Failure::Failed))
          reports.push_back(*report);
      return reports;
    }
  };
  void add(Task task) { tasks_.push_back(std::move(task)); }
  std::vector<Task>& all() { return tasks_; }
  // Those with nobody left go.
  void drop_empty() {
    std::erase_if(tasks_, [](const Task& task) { return task.waiting.empty(); });
  }

 private:
  std::vector<Task> tasks_;
};

}  // namespace koi::connectors
