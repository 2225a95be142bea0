// What a program declares, by name: the ground of hover, outline, completion and renaming.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.h"
#include "lsp/workspace.h"

namespace koi::lsp {

struct Symbol {
  enum class Kind {
    Event,
    Customer,
    Metric,
    Segment,
    Let,
    Tier,
    Audience,
    Content,
    Incentive,
    Referral,
    Channel,
    Team,
    Webhook,
    Policy,
    Campaign,
    Test,
    Field,      // of `owner`
    Attribute,  // of the customer
    EnumValue,  // of the field or attribute `owner`
  };
  Kind kind = Kind::Event;
  std::string name;
  std::string alias;
  std::string owner;
  SourceSpan named;  // the name
  SourceSpan whole;  // the declaration
  std::size_t depth = 0;
  const lang::ast::Type* type = nullptr;  // of a field or an attribute
};

// Of one file, each before what it contains, in the order of the text. The trees must outlive them.
std::vector<Symbol> symbols_of(const lang::ast::File& file);
std::vector<Symbol> symbols_of(const Program& program);

// "an event", "事件".
std::string describe(Symbol::Kind kind, Language language);
// As it is written: `enum(a, b)?`, `list of text`, `金额`.
std::string describe(const Type& type, const Schema& schema, Language language);

// The name at a place of a file, with everything that it may stand for (the places where they are
// named); nothing where there is no name that could be resolved.
struct Meant {
  SourceSpan written;
  std::vector<SourceSpan> named;
};
std::optional<Meant> meant_at(const Program& program, std::uint32_t source, std::uint32_t offset,
                              Language language);
// All uses of what is named at these places, with what shares a use with them; sorted.
std::vector<check::Use> uses_of(const Program& program, const std::vector<SourceSpan>& named,
                                Language language);

// What hovering over a place tells, as Markdown; `span` is what it is about.
struct Hover {
  SourceSpan span;
  std::string text;
};
std::optional<Hover> hover_at(const Program& program, std::uint32_t source, std::uint32_t offset,
                              Language language);

}  // namespace koi::lsp
