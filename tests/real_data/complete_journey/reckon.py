"""A year of receipt lines of a grocer in New York; and what complete_journey.koi must make of them.
The one line whose amount is not a whole number of cents is no valid event."""

import csv
import datetime
from collections import defaultdict, namedtuple

from reckoning import DAY, TIMER, Deed, Walk, clock, crossings, enter_deeds, first_goal, local, micros
from reckoning import morning_after, next_time_of_day, through_the_gate, zone_of

FILES = ["transactions_sample.csv.gz"]
MAP = "receipts.map"
ZONE = zone_of("America/New_York")
UNTIL = micros(datetime.datetime(2018, 3, 1, 12, tzinfo=ZONE))
CAPS = [(1, "day"), (3, 7 * DAY)]
QUIET = (21, 8)

Line = namedtuple("Line", "at phase basket store product cents coupon_cents")


def cents(text):
    """Of a decimal text; nothing where it is no whole number of cents."""
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    if not whole.isdigit() or len(decimals) > 2 or (decimals and not decimals.isdigit()):
        return None
    return int(whole) * 100 + int(decimals.ljust(2, "0"))


def rejected(tables):
    rows = csv.DictReader(tables["transactions_sample.csv.gz"])
    return sum(cents(row["sales_value"]) is None for row in rows)


def lines_of(tables):
    households = defaultdict(list)
    for phase, row in enumerate(csv.DictReader(tables["transactions_sample.csv.gz"])):
        amount = cents(row["sales_value"])
        if amount is None:
            continue
        at = micros(datetime.datetime.fromisoformat(row["transaction_timestamp"].replace("Z", "+00:00")))
        line = Line(at, phase, row["basket_id"], row["store_id"], row["product_id"], amount, cents(row["coupon_disc"]))
        households[row["household_id"]].append(line)
    for lines in households.values():
        lines.sort(key=lambda line: line.at)
    return households


def delayed(instant):
    return morning_after(instant, QUIET, ZONE)


def reckon(tables):
    deeds = []
    for household, lines in lines_of(tables).items():
        wishes = []
        regulars(household, lines, deeds, wishes)
        hundred(household, lines, deeds, wishes)
        return_to_us(household, lines, deeds, wishes)
        savers(household, lines, deeds, wishes)
        weekly(household, lines, deeds, wishes)
        deeds += through_the_gate(household, wishes, CAPS, ZONE, UNTIL)
    return [deed for deed in deeds if deed.time <= UNTIL]


def enter_and_send(household, campaign, priority, content, at, phase, deeds, wishes):
    """A journey of one message. Returns when it ends: a delay of the quiet hours belongs to it."""
    walk = Walk(campaign, priority, at, phase, delayed=delayed)
    walk.send(content)
    wishes += walk.wishes
    deeds += enter_deeds(household, campaign, [at])
    return walk


def still_in(walk, at, phase):
    """Has the journey not ended before this event or timer? What ends by a timer ends after the events of
    that instant."""
    return walk is not None and (at, phase) <= (walk.ended, walk.phase)


def month_of(instant):
    date = local(instant, ZONE)
    return date.year, date.month


def regulars(household, lines, deeds, wishes):
    months_of_lines = [month_of(x.at) for x in lines]

    def trips(at, count):
        month = month_of(at)
        return len({x.basket for x, m in zip(lines[:count], months_of_lines) if m == month})

    months = set(months_of_lines)
    borders = [clock(datetime.date(y + m // 12, m % 12 + 1, 1), 0, 0, ZONE) for y, m in months]
    walk = None
    for at, phase in crossings([(x.at, x.phase) for x in lines], trips, 4, borders, UNTIL):
        if not still_in(walk, at, phase):
            walk = enter_and_send(household, "regulars", 80, "often", at, phase, deeds, wishes)


def hundred(household, lines, deeds, wishes):
    def spend(at, count):
        return sum(x.cents for x in lines[:count] if x.at > at - 90 * DAY)

    last = None
    expiries = [x.at + 90 * DAY for x in lines]
    for at, phase in crossings([(x.at, x.phase) for x in lines], spend, 10_000, expiries, UNTIL):
        if last is None or at >= last + 60 * DAY:
            last = at
            enter_and_send(household, "hundred", 70, "gold", at, phase, deeds, wishes)


def return_to_us(household, lines, deeds, wishes):
    for line, following in zip(lines, lines[1:] + [None]):
        quiet = line.at + 45 * DAY
        # At the very instant a purchase would come first.
        if (following and following.at <= quiet) or quiet > UNTIL:
            continue
        later = [x.at for x in lines if x.at > quiet]
        walk = Walk("return_to_us", 60, quiet, TIMER, leaves=later, delayed=delayed)
        walk.wait_until(next_time_of_day(quiet, 10, 0, ZONE))
        walk.send("come_back")
        walk.wait(7 * DAY)
        walk.send("last_call")
        wishes += walk.wishes
        deeds += enter_deeds(household, "return_to_us", [quiet])
        deeds += first_goal(household, "return_to_us", quiet, later, 30 * DAY)
        if walk.gone:
            deeds.append(Deed(walk.ended, household, "return_to_us", "leave", ""))


def savers(household, lines, deeds, wishes):
    saved = [x for x in lines if x.coupon_cents > 0]
    last = None
    for i, line in enumerate(saved):
        if last is not None and line.at < last + 14 * DAY:
            continue
        last = line.at
        deeds.append(Deed(line.at, household, "savers", "set", "saver"))
        enter_and_send(household, "savers", 40, "clip_more", line.at, line.phase, deeds, wishes)
        deeds += first_goal(household, "savers", line.at, [x.at for x in saved[i + 1 :]], 28 * DAY)


def weekly(household, lines, deeds, wishes):
    """From his first line on; who has ever saved by a coupon is left alone from then on."""
    saver_from = min((x.at for x in lines if x.coupon_cents > 0), default=None)
    date = local(lines[0].at, ZONE).date()
    date += datetime.timedelta(days=-date.weekday())
    while True:
        at = clock(date, 9, 0, ZONE)
        date += datetime.timedelta(days=7)
        if at > UNTIL:
            return
        # A customer whose first line comes at nine sharp is there at nine: events come before deadlines.
        if at < lines[0].at or (saver_from is not None and saver_from <= at):
            continue
        if sum(x.cents for x in lines if at - 30 * DAY < x.at <= at) >= 3_000:
            enter_and_send(household, "weekly", 30, "digest", at, TIMER, deeds, wishes)
