// Result<T>: a value, or what the world did wrong. Spelled like std::expected, which g++ 12 does
// not have in C++20, so that one day it is an alias.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace koi {

// What went wrong in the world (a file, a disk, a provider). `code` is stable and short where some
// caller acts on it ("unreadable", "full"); `what` is a sentence that names the thing and the
// remedy.
struct Error {
  std::string code;
  std::string what;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() & { return KOI_ASSERT(has_value()), std::get<0>(state_); }
  const T& value() const& { return KOI_ASSERT(has_value()), std::get<0>(state_); }
  T&& value() && { return KOI_ASSERT(has_value()), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return KOI_ASSERT(!has_value()), std::get<1>(state_); }
  Error&& error() && { return KOI_ASSERT(!has_value()), std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }
  const Error& error() const& { return KOI_ASSERT(error_), *error_; }
  Error&& error() && { return KOI_ASSERT(error_), *std::move(error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace koi

#define KOI_JOIN_(a, b) a##b
#define KOI_JOIN(a, b) KOI_JOIN_(a, b)

// KOI_LET(auto rows, read(path)); takes the value or returns the error from this function.
#define KOI_LET(declaration, expression)                                                           \
  auto KOI_JOIN(koi_result_, __LINE__) = (expression);                                             \
  if (!KOI_JOIN(koi_result_, __LINE__)) return std::move(KOI_JOIN(koi_result_, __LINE__)).error(); \
  declaration = *std::move(KOI_JOIN(koi_result_, __LINE__))

// KOI_TRY(write(path)); returns the error from this function, if there is one.
#define KOI_TRY(expression)                                                          \
  do {                                                                               \
    if (auto koi_try_ = (expression); !koi_try_) return std::move(koi_try_).error(); \
  } while (false)
