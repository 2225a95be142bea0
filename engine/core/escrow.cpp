#include "core/escrow.h"

#include <algorithm>

#include "base/hash.h"
#include "model/codec.h"

namespace koi::core {

namespace {

void write(ByteWriter& out, const std::vector<Range>& ranges) {
  out.unsigned_(ranges.size());
  for (const Range& each : ranges) out.unsigned_(each.from), out.unsigned_(each.to - each.from);
}
void read(ByteReader& in, std::vector<Range>& ranges) {
  for (std::size_t left = in.count(2); left > 0; --left) {
    Range& each = ranges.emplace_back();
    each.from = in.unsigned_();
    if (__builtin_add_overflow(each.from, in.unsigned_(), &each.to) || each.from == each.to)
      in.fault();
  }
}

void write(ByteWriter& out, const std::vector<PoolCode>& codes) {
  out.unsigned_(codes.size());
  for (const PoolCode& each : codes) out.unsigned_(each.number), out.text(each.code);
}
void read(ByteReader& in, std::vector<PoolCode>& codes) {
  for (std::size_t left = in.count(2); left > 0; --left) {
    PoolCode& each = codes.emplace_back();
    each.number = in.unsigned_();
    each.code = in.text();
  }
}

// Of rows, whose readers must not take what no writer has written for another row.
bool read_flag(ByteReader& in) {
  const std::uint8_t byte = in.byte();
  if (byte > 1) in.fault();
  return byte == 1;
}
std::uint16_t read_group(ByteReader& in) {
  const std::uint64_t group = in.unsigned_();
  if (group > UINT16_MAX) in.fault();
  return static_cast<std::uint16_t>(group);
}

Error damaged() { return {"corrupt", "what the accounts keep in the store is damaged"}; }

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

}  // namespace

void write(ByteWriter& out, const Loan& loan) {
  out.byte(static_cast<std::uint8_t>(loan.kind));
  out.text(loan.account);
  out.unsigned_(loan.ask);
  out.signed_(loan.amount);
  out.time(loan.at);
  write(out, loan.ranges);
  write(out, loan.codes);
  out.signed_(loan.left);
  out.boolean(loan.is_short);
  out.boolean(loan.is_dry);
  out.unsigned_(loan.group);
}

bool read(ByteReader& in, Loan& loan) {
  const std::uint8_t kind = in.byte();
  if (kind > static_cast<std::uint8_t>(Loan::Kind::Moved)) in.fault();
  loan.kind = static_cast<Loan::Kind>(kind);
  loan.account = in.text();
  loan.ask = in.unsigned_();
  loan.amount = in.signed_();
  loan.at = in.time();
  read(in, loan.ranges);
  read(in, loan.codes);
  loan.left = in.signed_();
  loan.is_short = read_flag(in);
  loan.is_dry = read_flag(in);
  loan.group = read_group(in);
  return in.ok() && !loan.account.empty();
}

void write(ByteWriter& out, const Lack& lack) {
  out.text(lack.account);
  out.signed_(lack.want);
  out.time(lack.at);
  out.unsigned_(lack.ask);
  out.boolean(lack.answered);
}

bool read(ByteReader& in, Lack& lack) {
  lack.account = in.text();
  lack.want = in.signed_();
  lack.at = in.time();
  lack.ask = in.unsigned_();
  lack.answered = read_flag(in);
  return in.ok() && !lack.account.empty();
}

std::string encode(const Escrow& escrow) {
  if (escrow == Escrow()) return {};
  ByteWriter out;
  out.time(escrow.period);
  out.fixed64(escrow.basis);
  out.signed_(escrow.slice);
  out.time(escrow.from);
  out.time(escrow.latest);
  write(out, escrow.ranges);
  write(out, escrow.codes);
  out.signed_(escrow.uploaded);
  out.unsigned_(escrow.asked);
  out.boolean(escrow.is_open);
  out.signed_(escrow.next_want);
  out.time(escrow.next_at);
  out.signed_(escrow.dry);
  out.unsigned_(escrow.lent.size());
  if (escrow.lent.empty()) return out.take();  // no home
  out.fixed64(escrow.opened);
  for (const std::int64_t each : escrow.lent) out.signed_(each);
  out.time(escrow.pool_from);
  out.unsigned_(escrow.next_number);
  write(out, escrow.pool_ranges);
  write(out, escrow.pool_codes);
  out.unsigned_(escrow.waiting.size());
  for (const Escrow::Ask& each : escrow.waiting) {
    out.unsigned_(each.group);
    out.unsigned_(each.number);
    out.signed_(each.want);
    out.time(each.at);
  }
  out.unsigned_(escrow.awaited.size());
  for (const std::uint16_t each : escrow.awaited) out.unsigned_(each);
  out.unsigned_(escrow.covers);
  out.time(escrow.round);
  return out.take();
}

Result<Escrow> escrow_of(std::string_view bytes) {
  Escrow escrow;
  if (bytes.empty()) return escrow;
  ByteReader in(bytes);
  escrow.period = in.time();
  escrow.basis = in.fixed64();
  escrow.slice = in.signed_();
  escrow.from = in.time();
  escrow.latest = in.time();
  read(in, escrow.ranges);
  read(in, escrow.codes);
  escrow.uploaded = in.signed_();
  escrow.asked = in.unsigned_();
  escrow.is_open = read_flag(in);
  escrow.next_want = in.signed_();
  escrow.next_at = in.time();
  escrow.dry = in.signed_();
  escrow.lent.resize(in.count());
  if (!escrow.lent.empty()) {
    escrow.opened = in.fixed64();
    for (std::int64_t& each : escrow.lent) each = in.signed_();
    escrow.pool_from = in.time();
    escrow.next_number = in.unsigned_();
    read(in, escrow.pool_ranges);
    read(in, escrow.pool_codes);
    for (std::size_t left = in.count(4); left > 0; --left) {
      Escrow::Ask& each = escrow.waiting.emplace_back();
      each.group = read_group(in);
      each.number = in.unsigned_();
      each.want = in.signed_();
      each.at = in.time();
      if (each.group >= escrow.lent.size()) in.fault();
    }
    for (std::size_t left = in.count(); left > 0; --left) {
      const std::uint16_t group = read_group(in);
      if (group >= escrow.lent.size()) in.fault();
      escrow.awaited.push_back(group);
    }
    const std::uint64_t covers = in.unsigned_();
    if (covers > escrow.waiting.size()) in.fault();
    escrow.covers = static_cast<std::uint32_t>(covers);
    escrow.round = in.time();
  }
  if (in.ok() && in.at_end()) return escrow;
  return damaged();
}

Result<EscrowRow> escrow_row(std::string_view key, std::string_view bytes) {
  if (key.size() < 2 || key.front() != 'e') return damaged();
  EscrowRow row;
  row.account = key.substr(1);
  const std::string_view rest = key.substr(2);
  ByteReader names(rest);
  switch (row.account.front()) {
    case 'b':
      row.kind = EscrowRow::Kind::Budget;
      if (rest.size() != 16) return damaged();
      row.definition = big_endian(rest.substr(0, 8));
      row.begin = {static_cast<std::int64_t>(big_endian(rest.substr(8)))};
      break;
    case 'l':
      row.kind = EscrowRow::Kind::Limit;
      if (rest.size() != 16) return damaged();
      row.definition = big_endian(rest.substr(0, 8));
      row.value = big_endian(rest.substr(8));
      break;
    case 'd':
      row.kind = EscrowRow::Kind::Prize;
      row.name = names.text();
      row.prize = names.text();
      if (!names.ok() || !names.at_end()) return damaged();
      break;
    case 'n':
      row.kind = EscrowRow::Kind::Numbers;
      row.name = rest;
      break;
    case 's':
      row.kind = EscrowRow::Kind::Pool;
      row.name = rest;
      break;
    default: return damaged();
  }
  KOI_LET(row.escrow, escrow_of(bytes));
  return row;
}

std::int64_t codes_given(const Escrow& pool) {
  return pool.slice - static_cast<std::int64_t>(pool.codes.size());
}

// Uploading looks through all pools, so that they are in one place.
std::uint16_t home_of(std::string_view account, std::uint16_t groups) {
  if (account.starts_with('s')) return 0;
  return static_cast<std::uint16_t>(hash64(account, 0x657363726f77) % groups);
}

}  // namespace koi::core
