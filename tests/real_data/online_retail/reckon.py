"""The year of a web shop: one `purchase` for each invoice of a known customer, `cancelled` for each
credit note; and what online_retail.koi must make of them, reckoned from the rows alone."""

import csv
import datetime
import json
from collections import defaultdict, namedtuple

from reckoning import DAY, TIMER, Deed, Walk, crossings, enter_deeds, first_goal, local, micros
from reckoning import through_the_gate, zone_of

FILES = ["online_retail.csv.gz"]
ZONE = zone_of("Europe/London")
UNTIL = micros(datetime.datetime(2012, 8, 1, tzinfo=ZONE))
CAPS = [(1, DAY), (3, 7 * DAY)]

Order = namedtuple("Order", "at phase invoice pence country cancels")


def orders_of(tables):
    """Each customer's invoices in order of time. Lines without a customer belong to nobody; an invoice
    takes the time of its first line; tenths of a penny in the sum are dropped."""
    invoices = {}
    for row in csv.DictReader(tables["online_retail.csv.gz"]):
        if not row["CustomerID"]:
            continue
        entry = invoices.setdefault(row["InvoiceNo"], [row, 0])
        pounds, _, decimals = row["UnitPrice"].partition(".")
        entry[1] += (int(pounds) * 1000 + int(decimals.ljust(3, "0"))) * int(row["Quantity"])
    orders = []
    for row, tenths in invoices.values():
        at = micros(datetime.datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=ZONE))
        cancels = row["InvoiceNo"].startswith("C")
        pence = (-tenths if cancels else tenths) // 10
        orders.append((at, row["CustomerID"], row["InvoiceNo"], pence, row["Country"], cancels))
    orders.sort(key=lambda order: order[0])  # stable: ties stay in the order of the file
    customers = defaultdict(list)
    for phase, (at, customer, *rest) in enumerate(orders):
        customers[customer].append(Order(at, phase, *rest))
    return customers


def prepare(tables, folder):
    """The events as the engine reads them; returns the arguments of `koi run`."""
    orders = [(o.phase, customer, o) for customer, of in orders_of(tables).items() for o in of]
    path = folder / "orders.ndjson"
    with open(path, "w", encoding="utf-8") as out:
        for _, customer, o in sorted(orders):
            data = {"invoice": o.invoice, "amount": f"{o.pence // 100}.{o.pence % 100:02}"}
            if not o.cancels:
                data["country"] = o.country
            event = {
                "id": o.invoice,
                "type": "cancelled" if o.cancels else "purchase",
                "time": local(o.at, ZONE).isoformat(),
                "subject": customer,
                "data": data,
            }
            out.write(json.dumps(event) + "\n")
    return ["--events", str(path)]


def reckon(tables):
    deeds = []
    for customer, orders in orders_of(tables).items():
        purchases = [o for o in orders if not o.cancels]
        wishes = []
        if purchases:
            big_spender(customer, purchases, deeds, wishes)
            second_order(customer, purchases, deeds, wishes)
            win_back(customer, purchases, deeds, wishes)
            repurchase(customer, orders, deeds, wishes)
        deeds += through_the_gate(customer, wishes, CAPS, ZONE, UNTIL)
    return [deed for deed in deeds if deed.time <= UNTIL]


def big_spender(customer, purchases, deeds, wishes):
    """Ninety days' spend comes from below to a thousand pounds; not again for thirty days."""

    def spend(at, count):
        return sum(p.pence for p in purchases[:count] if p.at > at - 90 * DAY)

    last = None
    expiries = [p.at + 90 * DAY for p in purchases]
    for at, phase in crossings([(p.at, p.phase) for p in purchases], spend, 100_000, expiries, UNTIL):
        if last is not None and at < last + 30 * DAY:
            continue
        last = at
        walk = Walk("big_spender", 70, at, phase)
        walk.send("vip")
        wishes += walk.wishes
        deeds += enter_deeds(customer, "big_spender", [at])


def second_order(customer, purchases, deeds, wishes):
    """The first pause of more than thirty days after a purchase."""
    for p, following in zip(purchases, purchases[1:] + [None]):
        deadline = p.at + 30 * DAY
        if following and following.at <= deadline:
            continue  # it breaks this one and begins the next
        if deadline <= UNTIL:
            walk = Walk("second_order", 60, deadline, TIMER)
            walk.send("come_again")
            wishes += walk.wishes
            deeds += enter_deeds(customer, "second_order", [deadline])
            goals = [q.at for q in purchases if q.at > deadline]
            deeds += first_goal(customer, "second_order", deadline, goals, 30 * DAY)
        return


def win_back(customer, purchases, deeds, wishes):
    """More than 180 days since the last purchase: from the microsecond after."""
    last = None
    for p, following in zip(purchases, purchases[1:] + [None]):
        lapse = p.at + 180 * DAY + 1
        if (following and following.at <= lapse) or lapse > UNTIL:
            continue
        if last is not None and lapse < last + 200 * DAY:
            continue
        last = lapse
        later = [q.at for q in purchases if q.at > lapse]
        walk = Walk("win_back", 50, lapse, TIMER, leaves=later)
        walk.send("miss_you")
        walk.wait(14 * DAY)
        walk.send("miss_you_too")
        wishes += walk.wishes
        deeds += enter_deeds(customer, "win_back", [lapse])
        deeds += first_goal(customer, "win_back", lapse, later, 60 * DAY)
        if walk.gone:
            deeds.append(Deed(walk.ended, customer, "win_back", "leave", ""))


def repurchase(customer, orders, deeds, wishes):
    """A purchase and within thirty days a dearer one, with no credit note between them. A cheaper one
    neither completes nor restarts it; a week after completing he may begin again."""
    begun = free_from = None
    for o in orders:
        if begun and o.at > begun.at + 30 * DAY:
            begun = None  # came to nothing
        if o.cancels:
            begun = None
        elif begun:
            if o.pence > begun.pence:
                walk = Walk("repurchase", 40, o.at, o.phase)
                walk.send("thanks_again")
                walk.wait(7 * DAY)
                wishes += walk.wishes
                deeds += enter_deeds(customer, "repurchase", [o.at])
                begun, free_from = None, walk.ended
        elif free_from is None or o.at > free_from:
            begun = o
