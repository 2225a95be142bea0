// What the parts of Accounts are read from the shelf by, and how they are changed. Private to core.
#pragma once

#include <string>
#include <utility>

#include "core/accounts.h"

namespace koi::core {

// What a change takes in memory until the shelf has it, about: its node, and its bytes on the way.
constexpr std::uint64_t bytes_of_change = 300, bytes_of_posting = 250;

// In memory now, or null: there is nothing under the key, or nothing that can be read.
template <class Value, class Decode>
typename Shelved<Value>::Node* Accounts::fetch(Shelved<Value>& part, const std::string& key,
                                               Decode decode) {
  if (auto* node = part.find(key); node || !shelf_ || fault_) return node;
  const auto bytes = shelf_->read(key);
  if (!bytes) fault_ = bytes.error();
  if (!bytes || bytes->empty()) return nullptr;
  auto value = decode(*bytes);
  if (!value) fault_ = value.error();
  if (!value) return nullptr;
  if (part.size() >= most_in_memory_ + part.changed()) part.forget(generations_);
  return &part.keep(key, *std::move(value));
}

template <class Value>
void Accounts::note_change(Shelved<Value>& part, typename Shelved<Value>::Node& node) {
  if (sharing_ && sharing_->in_turn) remember(part, node);
  if (shelf_ && part.change(node, generations_))
    changed_bytes_ += bytes_of_change + node.first.size();
}

// A node that has changed stays where it is until the shelf has it, and so does what has no shelf.
template <class Value>
void Accounts::remember(Shelved<Value>& /*part*/, typename Shelved<Value>::Node& node) {
  sharing_->undo.push_back([&node, before = node.second.value] { node.second.value = before; });
}

}  // namespace koi::core
