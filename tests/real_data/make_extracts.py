"""Writes the made-up extracts: tables of the same form as the real sets, small and dense, with many
events exactly on a deadline. Fixed seed; run again only when a form changes.

    python3 make_extracts.py
"""

import csv
import datetime
import pathlib
import random

HERE = pathlib.Path(__file__).resolve().parent
dice = random.Random(20261122)


def write(name, header, rows):
    folder = HERE / name / "extract"
    folder.mkdir(exist_ok=True)
    (file,) = [f for f in FILES[name]]
    with open(folder / file, "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


FILES = {
    "online_retail": ["online_retail.csv"],
    "complete_journey": ["transactions_sample.csv"],
    "shop_clickstream_ab": ["shop_clickstream_ab.csv"],
}


def online_retail():
    rows = []
    start = datetime.datetime(2010, 12, 1, 8)
    for customer in range(101, 126):
        at = start + datetime.timedelta(days=dice.randrange(120), minutes=dice.randrange(600))
        for _ in range(dice.randrange(1, 9)):
            price = dice.choice(["2.55", "0.85", "110", "4.5", "249.99", "0.001"])
            quantity = dice.choice([1, 2, 6, 12, 4])
            cancels = dice.random() < 0.15
            lines = dice.randrange(1, 3)
            rows.append((at, customer, cancels, quantity, price, lines))
            at += dice.choice(
                [
                    datetime.timedelta(0),
                    datetime.timedelta(days=1),
                    datetime.timedelta(days=30),
                    datetime.timedelta(days=90),
                    datetime.timedelta(days=180),
                    datetime.timedelta(days=180, minutes=1),
                    datetime.timedelta(days=194, minutes=1),
                    datetime.timedelta(days=dice.randrange(40), minutes=dice.randrange(600)),
                ]
            )
    rows.sort(key=lambda row: row[0])
    table, number = [], 600000
    for at, customer, cancels, quantity, price, lines in rows:
        number += 1
        for line in range(lines):
            sign = -1 if cancels else 1
            nobody = dice.random() < 0.05
            table.append(
                [("C" if cancels else "") + str(number), f"2{line}7{customer}", "A \"BIG\" LANTERN, WHITE", sign * quantity,
                 at.isoformat(), price, "" if nobody else customer, dice.choice(["United Kingdom", "France", "EIRE"])]
            )
    write("online_retail", ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"], table)


def complete_journey():
    rows = []
    for household in range(1, 26):
        at = datetime.datetime(2017, 1, 1, 12) + datetime.timedelta(days=dice.randrange(90), seconds=dice.randrange(86400))
        for _ in range(dice.randrange(1, 22)):
            basket = dice.randrange(10**9, 10**10)
            for _ in range(dice.randrange(1, 3)):
                amount = dice.choice(["1.5", "2", "12.99", "31.05", "70.1", "4.440892e-16" if dice.random() < 0.1 else "3"])
                coupon = dice.choice(["0", "0", "0", "0", "0", "0.55", "1"])
                rows.append((at, household, basket, amount, coupon))
            at += dice.choice(
                [
                    datetime.timedelta(days=1),
                    datetime.timedelta(days=14),
                    datetime.timedelta(days=30),
                    datetime.timedelta(days=45),
                    datetime.timedelta(days=45, hours=1),
                    datetime.timedelta(days=dice.randrange(12), seconds=dice.randrange(86400)),
                    datetime.timedelta(days=dice.randrange(5), seconds=dice.randrange(86400)),
                ]
            )
    rows.sort(key=lambda row: row[0])
    table = [
        [household, dice.randrange(300, 306), basket, dice.randrange(10**6), 1, amount, "0", coupon, "0",
         1 + (at - datetime.datetime(2017, 1, 1)).days // 7, at.isoformat() + "Z"]
        for at, household, basket, amount, coupon in rows
    ]
    write("complete_journey", ["household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc", "coupon_disc",
           "coupon_match_disc", "week", "transaction_timestamp"], table)


def shop_clickstream():
    rows = []
    for user in range(9001, 9041):
        at = datetime.datetime(2019, 11, 1, 18) + datetime.timedelta(days=dice.randrange(20), microseconds=dice.randrange(10**10))
        bucket = dice.choice(["test", "control", "not_in_test"])
        for _ in range(dice.randrange(3, 40)):
            event = dice.choices(
                ["catalog", "main", "product", "cart", "delivery_choice", "payment_choice", "payment_done", "lost"],
                [10, 3, 2, 4, 3, 3, 2, 1])[0]
            paid = event == "payment_done"
            rows.append((at, user, event, bucket, f"{dice.randrange(500, 1000)}.0" if paid else "", dice.randrange(10**6, 10**7) if paid else ""))
            at += dice.choice(
                [
                    datetime.timedelta(seconds=20, microseconds=dice.randrange(10**6)),
                    datetime.timedelta(minutes=2),
                    datetime.timedelta(minutes=10),
                    datetime.timedelta(hours=1),
                    datetime.timedelta(hours=25),
                    datetime.timedelta(days=3),
                    datetime.timedelta(seconds=dice.randrange(40), microseconds=dice.randrange(10**6)),
                    datetime.timedelta(seconds=dice.randrange(400), microseconds=dice.randrange(10**6)),
                ]
            )
    rows.sort(key=lambda row: row[0])
    table = [[user, event, at.strftime("%Y-%m-%d %H:%M:%S.%f"), bucket, value, number] for at, user, event, bucket, value, number in rows]
    write("shop_clickstream_ab", ["user_id", "event", "timestamp", "user_backet", "transaction_value", "transaction_ID"], table)


online_retail()
complete_journey()
shop_clickstream()
