// Tasks: group-send tasks that a member of staff must tap: who is in which, until it is known what
// became of each. In memory; one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/time.h"

namespace koi::connectors {

class WecomTasks {
 public:
  struct Task {
    std::string number;                      // msgid
    Timestamp ends;                          // then it is cancelled
    std::map<std::string, Hash128> waiting;  // by customer
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
