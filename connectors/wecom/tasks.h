// Tasks: group-send tasks that a member of staff must tap: who is in which, until it is known what
// became of each. One thread.
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
    std::string number;                        // msgid
    Timestamp ends;                            // then it is cancelled
    bool is_one = false;                       // all of them are one delivery
    std::map<std::string, Hash128> waiting{};  // by customer, or by group
    bool has_reached = false;                  // one of them at least

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
  // Those with nobody left go; their numbers.
  std::vector<std::string> drop_empty() {
    std::vector<std::string> numbers;
    for (const Task& task : tasks_)
      if (task.waiting.empty()) numbers.push_back(task.number);
    std::erase_if(tasks_, [](const Task& task) { return task.waiting.empty(); });
    return numbers;
  }
  // When the task ends that a delivery waits in; nothing where there is none.
  std::optional<Timestamp> end_of(Hash128 key) const {
    for (const Task& task : tasks_)
      for (const auto& [who, waiting] : task.waiting)
        if (waiting == key) return task.ends;
    return std::nullopt;
  }

 private:
  std::vector<Task> tasks_;
};

}  // namespace koi::connectors
