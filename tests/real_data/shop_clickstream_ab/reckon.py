"""Half a year of clicks (its clock is read as UTC); and what shop_clickstream.koi must make of them."""

import csv
import datetime
from collections import defaultdict, namedtuple

from reckoning import DAY, HOUR, MINUTE, TIMER, Deed, Walk, crossings, enter_deeds, first_goal, local, micros
from reckoning import clock, through_the_gate, zone_of

FILES = ["shop_clickstream_ab.csv.gz"]
MAP = "clicks.map"
ZONE = zone_of("UTC")
UNTIL = micros(datetime.datetime(2020, 5, 10, tzinfo=ZONE))
CAPS = [(2, DAY)]

Click = namedtuple("Click", "at phase event cents")


def clicks_of(tables):
    users = defaultdict(list)
    for phase, row in enumerate(csv.DictReader(tables["shop_clickstream_ab.csv.gz"])):
        at = micros(datetime.datetime.fromisoformat(row["timestamp"]).replace(tzinfo=datetime.timezone.utc))
        dollars, _, decimals = row["transaction_value"].partition(".")
        value = int(dollars) * 100 + int(decimals.ljust(2, "0")) if dollars else None
        users[row["user_id"]].append(Click(at, phase, row["event"], value))
    for clicks in users.values():
        clicks.sort(key=lambda click: click.at)
    return users


def reckon(tables):
    deeds = []
    for user, clicks in clicks_of(tables).items():
        wishes, service = [], []
        buyer_from = thanks(user, clicks, deeds, service)
        cart_left(user, clicks, deeds, wishes)
        payment_trouble(user, clicks, deeds, wishes)
        lookers(user, clicks, buyer_from, deeds, wishes)
        idlers(user, clicks, deeds, wishes)
        deeds += through_the_gate(user, wishes, CAPS, ZONE, UNTIL)
        deeds += through_the_gate(user, service, [], ZONE, UNTIL)  # the cap is marketing's
    return [deed for deed in deeds if deed.time <= UNTIL]


def thanks(user, clicks, deeds, wishes):
    """Returns the first (instant, phase) at which he is known as a buyer."""
    dear = [c for c in clicks if c.event == "payment_done" and c.cents >= 70_000]
    for c in dear:
        deeds += enter_deeds(user, "thanks", [c.at])
        deeds.append(Deed(c.at, user, "thanks", "set", "buyer"))
        walk = Walk("thanks", 90, c.at, c.phase)
        walk.send("thank_you")
        wishes += walk.wishes
    return (dear[0].at, dear[0].phase) if dear else None


def cart_left(user, clicks, deeds, wishes):
    """A cart and no payment within the hour. While that is open, and while the journey lasts, further
    carts begin nothing; the one that ends the day's wait may begin the next."""
    payments = [c.at for c in clicks if c.event == "payment_done"]
    carts = [c for c in clicks if c.event == "cart"]
    last = None
    free_from = (-1, -1)  # he is in the campaign up to here
    for c in carts:
        if (c.at, c.phase) < free_from:
            continue
        deadline = c.at + HOUR
        broken = [p for p in clicks if p.event == "payment_done" and (p.at, p.phase) > (c.at, c.phase) and p.at <= deadline]
        if broken:
            free_from = (broken[0].at, broken[0].phase)
            continue
        free_from = (deadline, TIMER)
        if deadline > UNTIL or (last is not None and deadline < last + DAY):
            continue
        last = deadline
        later = [at for at in payments if at > deadline]
        again = next((k for k in carts if k.at > deadline), None)
        walk = Walk("cart_left", 60, deadline, TIMER, leaves=later)
        walk.send("cart_waits")
        if again and again.at <= deadline + DAY and not (later and (later[0] <= again.at)):
            free_from = (again.at, again.phase)  # the wait ends well; `stop`
        else:
            walk.wait(DAY)
            walk.send("cart_discount")
            free_from = (walk.ended, TIMER)
            if walk.gone:
                free_from = (walk.ended, 0)
                deeds.append(Deed(walk.ended, user, "cart_left", "leave", ""))
        wishes += walk.wishes
        deeds += enter_deeds(user, "cart_left", [deadline])
        deeds += first_goal(user, "cart_left", deadline, later, 3 * DAY)


def payment_trouble(user, clicks, deeds, wishes):
    begun, free_from = None, None
    for c in clicks:
        if begun and c.at > begun.at + 10 * MINUTE:
            begun = None
        if c.event == "lost":
            begun = None
        elif c.event == "payment_choice" and begun:
            walk = Walk("payment_trouble", 50, c.at, c.phase)
            walk.wait(30 * MINUTE)
            asked = walk.now
            if not any(p.event == "payment_done" and asked - HOUR < p.at <= asked for p in clicks):
                walk.send("pay_trouble")
            walk.wait(6 * HOUR)
            wishes += walk.wishes
            deeds += enter_deeds(user, "payment_trouble", [c.at])
            begun, free_from = None, walk.ended
        elif c.event == "delivery_choice" and not begun and (free_from is None or c.at > free_from):
            begun = c


def lookers(user, clicks, buyer_from, deeds, wishes):
    looks = [c for c in clicks if c.event == "catalog"]

    def count_at(at, count):
        return sum(c.at > at - HOUR for c in looks[:count])

    last = None
    expiries = [c.at + HOUR for c in looks]
    for at, phase in crossings([(c.at, c.phase) for c in looks], count_at, 10, expiries, UNTIL):
        if buyer_from is not None and (at, phase) > buyer_from:
            continue
        if last is None or at >= last + 7 * DAY:
            last = at
            deeds += enter_deeds(user, "lookers", [at])
            walk = Walk("lookers", 40, at, phase)
            walk.send("need_help")
            wishes += walk.wishes


def idlers(user, clicks, deeds, wishes):
    """Carts, never a payment, and more than three days since the last cart: once."""
    carts = [c for c in clicks if c.event == "cart"]
    paid = min((c.at for c in clicks if c.event == "payment_done"), default=None)
    for c, following in zip(carts, carts[1:] + [None]):
        idle = c.at + 3 * DAY + 1
        if (following and following.at <= idle) or (paid is not None and paid <= idle) or idle > UNTIL:
            continue
        walk = Walk("idlers", 30, idle, TIMER, leaves=[k.at for k in carts if k.at > idle])
        walk.wait_until(next_saturday_at_ten(idle))
        walk.send("still_idle")
        wishes += walk.wishes
        deeds += enter_deeds(user, "idlers", [idle])
        if walk.gone:
            deeds.append(Deed(walk.ended, user, "idlers", "leave", ""))
        return


def next_saturday_at_ten(instant):
    date = local(instant, ZONE).date()
    while True:
        at = clock(date, 10, 0, ZONE)
        if date.weekday() == 5 and at > instant:
            return at
        date += datetime.timedelta(days=1)
