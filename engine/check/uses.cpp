// Which name stands for what: for tools that go from a name to its declaration and back.
#include <algorithm>

#include "check/detail/checker.h"

namespace koi::check {
namespace {

template <class Decl>
auto with_name(const std::vector<const Decl*>& all, const Symbol& symbol) {
  return std::find_if(all.begin(), all.end(),
                      [&](const Decl* decl) { return decl->name.text == symbol.name; });
}

}  // namespace

void Checker::used_event(const ast::Name& written, EventTypeId event) const {
  if (uses_ == nullptr) return;
  const auto decl = with_name(events_, program_.schema[event].symbol);
  if (decl != events_.end()) used(written, (*decl)->name.span);
}

void Checker::used_field(const ast::Name& written, EventTypeId event, FieldId field) const {
  if (uses_ == nullptr) return;
  const EventType& type = program_.schema[event];
  const auto decl = with_name(events_, type.symbol);
  if (decl == events_.end()) return;
  for (const ast::Field& each : (*decl)->fields)
    if (each.name.text == type.fields[field.index()].symbol.name) used(written, each.name.span);
}

void Checker::used_attribute(const ast::Name& written, AttributeId attribute) const {
  if (uses_ == nullptr || customer_ == nullptr) return;
  for (const auto& item : customer_->items)
    if (const auto* field = std::get_if<ast::Field>(&item))
      if (field->name.text == program_.schema[attribute].symbol.name)
        used(written, field->name.span);
}

void Checker::used_value(const ast::Name& written, EnumId enumeration, std::uint32_t value) const {
  if (uses_ == nullptr || enumeration.index() >= enum_places_.size()) return;
  for (const auto& [of, span] : enum_places_[enumeration.index()])
    if (of == value) used(written, span);
}

// Each declared name stands for itself, and so does its alias.
void Checker::declared_names() const {
  if (uses_ == nullptr) return;
  const auto name = [&](const ast::Name& written, const ast::Alias& alias) {
    used(written, written.span);
    if (alias) used(*alias, written.span);
  };
  const auto field = [&](const ast::Field& each) {
    name(each.name, each.alias);
    for (const auto& value : each.type.values) name(value.name, value.alias);
  };
  for (const Declared& declared : declared_) {
    if (declared.by_engine) continue;
    uses_->push_back({declared.span, declared.span});
    uses_->push_back({declared.alias_span, declared.span});
  }
  for (const auto* event : events_)
    for (const auto& each : event->fields) field(each);
  if (customer_ == nullptr) return;
  for (const auto& item : customer_->items)
    if (const auto* each = std::get_if<ast::Field>(&item)) field(*each);
}

}  // namespace koi::check
