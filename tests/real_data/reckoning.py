"""What the independent calculations share: instants, journeys of sends and waits, the gate's quiet
hours and caps, and the crossings of a figure. Written from docs/language.md alone, not from the engine.

Instants are whole microseconds since 1970 (UTC), money is whole minor units.
"""

import datetime
import zoneinfo
from collections import namedtuple

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

# One line of what the engine should do. `name` is empty for enter, leave and goal.
Deed = namedtuple("Deed", "time customer campaign action name")
# A send that some campaign wants; the gate has the last word. What happens at an instant comes before
# the deadlines of that instant: `phase` is the event's place in the input, or `TIMER`.
Wish = namedtuple("Wish", "time phase priority campaign content")
TIMER = 1 << 60


def micros(moment):
    """Of an aware datetime."""
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def local(instant, zone):
    return (EPOCH + datetime.timedelta(microseconds=instant)).astimezone(zone)


def clock(date, hour, minute, zone):
    """The instant at which clocks in `zone` first show that time on that day (data here meet no gap)."""
    return micros(datetime.datetime(date.year, date.month, date.day, hour, minute, tzinfo=zone))


def next_time_of_day(instant, hour, minute, zone):
    """The next one: at that time sharp it is tomorrow's."""
    date = local(instant, zone).date()
    while True:
        at = clock(date, hour, minute, zone)
        if at > instant:
            return at
        date += datetime.timedelta(days=1)


class Walk:
    """A journey of one customer: `send` and `wait` in order, ended early by the first leaving event.

    `leaves` are the instants of events that end it; the one that let him in must not be among them.
    """

    def __init__(self, campaign, priority, at, phase, leaves=(), delayed=lambda instant: instant):
        self.campaign, self.priority = campaign, priority
        self.now, self.phase = at, phase
        self.left = min(leaves, default=None)  # leaves when this comes
        self.delayed = delayed
        self.wishes, self.gone = [], False

    def wait_until(self, instant):
        if self.gone or instant <= self.now:
            return
        # An event at the very instant of a deadline comes before it.
        if self.left is not None and self.left <= instant:
            self.now, self.gone = self.left, True
        else:
            self.now, self.phase = instant, TIMER

    def wait(self, span):
        self.wait_until(self.now + span)

    def send(self, content):
        self.wait_until(self.delayed(self.now))  # quiet hours: the journey stays at that step
        if not self.gone:
            self.wishes.append(Wish(self.now, self.phase, self.priority, self.campaign, content))

    @property
    def ended(self):
        return self.now


def is_quiet(instant, quiet, zone):
    begin, end = quiet  # hours; the first is quiet, the last is not; over midnight
    hour = local(instant, zone).hour
    return hour >= begin or hour < end


def morning_after(instant, quiet, zone):
    """When a message decided now may go: now, or when the quiet hours end."""
    return next_time_of_day(instant, quiet[1], 0, zone) if is_quiet(instant, quiet, zone) else instant


def through_the_gate(customer, wishes, caps, zone, until):
    """The sends and refusals that come of the wishes. A cap is (limit, span) or (limit, "day"): rolling,
    exactly a span later passes; or by the customer's calendar."""
    sent, deeds = [], []
    order = sorted(wishes, key=lambda w: (w.time, w.phase, -w.priority, w.campaign))
    for wish in order:
        if wish.time > until:
            continue
        full = False
        for limit, span in caps:
            if span == "day":
                today = local(wish.time, zone).date()
                used = sum(local(at, zone).date() == today for at in sent)
            else:
                used = sum(at > wish.time - span for at in sent)
            full = full or used >= limit
        if not full:
            sent.append(wish.time)
        action = "refuse" if full else "send"
        deeds.append(Deed(wish.time, customer, wish.campaign, action, wish.content))
    return deeds


def crossings(events, value_at, bound, expiries, until):
    """When a figure comes from below to `bound`: [(instant, phase)].

    `events` are (instant, phase) in order; `value_at(instant, count)` is the figure at an instant when
    the first `count` of them have come; `expiries` the instants at which time alone may change it.
    """
    found, above = [], False
    moments = [(at, phase) for at, phase in events]
    moments += [(at, TIMER) for at in set(expiries)]
    count = 0
    for at, phase in sorted(moments):
        if at > until:
            break
        if phase != TIMER:
            count += 1
        elif count == 0:
            continue  # nobody has seen him yet
        now_above = value_at(at, count) >= bound
        if now_above and not above:
            found.append((at, phase))
        above = now_above
    return found


def enter_deeds(customer, campaign, entries):
    return [Deed(at, customer, campaign, "enter", "") for at in entries]


def first_goal(customer, campaign, entered, goals, within, ended=None):
    """The first goal event after the entry; `goals` are instants, those of the entering event left out."""
    for at in goals:
        if at >= entered and at <= entered + within:
            return [Deed(at, customer, campaign, "goal", "")]
    return []


def zone_of(name):
    return zoneinfo.ZoneInfo(name)
