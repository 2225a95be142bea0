#include "channel/notebook.h"

#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <memory>

namespace koi::channel {

Notebook::Notebook(std::function<Timestamp()> now, std::vector<Note> notes) : now_(std::move(now)) {
  for (Note& note : notes)
    if (note.until > now_()) put(std::move(note));
}

void Notebook::keep_with(KeepWith keep_with) { keep_with_ = std::move(keep_with); }

asio::awaitable<Result<void>> Notebook::keep(Note note) {
  put(note);
  if (!keep_with_) co_return Result<void>();
  const auto executor = co_await asio::this_coro::executor;
  auto begin = [this, &executor, &note](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    keep_with_(std::move(note), [executor, shared](Result<void> done) {
      asio::post(executor, [shared, done = std::move(done)]() mutable {
        (*shared)(std::move(done));
        shared.reset();
      });
    });
  };
  auto kept = co_await asio::async_initiate<decltype(asio::use_awaitable), void(Result<void>)>(
      std::move(begin), asio::use_awaitable);
  co_return kept;
}

const std::string* Notebook::find(const std::string& name) const {
  const auto found = notes_.find(name);
  if (found == notes_.end() || found->second.until <= now_()) return nullptr;
  return &found->second.text;
}

void Notebook::forget(const std::string& name) {
  if (!notes_.contains(name)) return;
  drop(name);
  if (keep_with_) keep_with_({name, {}, Timestamp::ever()}, [](const Result<void>&) {});
}

std::vector<Note> Notebook::all() const {
  std::vector<Note> all;
  for (const auto& [name, note] : notes_)
    if (note.until > now_()) all.push_back(note);
  return all;
}

void Notebook::put(Note note) {
  drop(note.name);
  bytes_ += size_of(note);
  by_end_.emplace(note.until, note.name);
  const std::string name = note.name;
  notes_.emplace(name, std::move(note));
  // What is over was removed from the disk by then, or is when that is opened again.
  while (!by_end_.empty() && (by_end_.begin()->first <= now_() || bytes_ > most_bytes))
    drop(std::string(by_end_.begin()->second));
}

void Notebook::drop(const std::string& name) {
  const auto found = notes_.find(name);
  if (found == notes_.end()) return;
  bytes_ -= size_of(found->second);
  by_end_.erase({found->second.until, name});
  notes_.erase(found);
}

std::size_t Notebook::size_of(const Note& note) {
  constexpr std::size_t beside = 200;  // of the maps' nodes
  return beside + 3 * note.name.size() + note.text.size();
}

}  // namespace koi::channel
