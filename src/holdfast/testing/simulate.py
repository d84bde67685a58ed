"""Simulated bank tables: seeded, with correlated traits, exact relations, integer amounts and missing values.

No row is taken from any data set. Every table comes with the contract that it keeps, so that attacks, checks and
contract mining can be tried where the truth is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]


@dataclass(frozen=True)
class Simulation:
    """A table of n rows: named columns of equal length, the 0/1 label's name, and contract.yaml for the rest."""

    columns: dict[str, Column]
    label: str
    contract: str

    @property
    def features(self) -> dict[str, Column]:
        """The columns a model is given, in contract order."""
        return {name: values for name, values in self.columns.items() if name != self.label}

    def split(self, share: float) -> tuple[dict[str, Column], dict[str, Column]]:
        """The first `share` of the rows, and the others."""
        cut = round(share * len(self.columns[self.label]))
        return (
            {name: values[:cut] for name, values in self.columns.items()},
            {name: values[cut:] for name, values in self.columns.items()},
        )


def _traits(random: np.random.Generator, n: int, count: int, correlation: float) -> list[Column]:
    """`count` standard normal traits, every pair of them with this correlation."""
    common = random.standard_normal(n)
    own = random.standard_normal((count, n))
    return [np.sqrt(correlation) * common + np.sqrt(1 - correlation) * noise for noise in own]


def _chance(score: Column, share: float) -> Column:
    """Logistic probabilities of `score`, shifted so that their mean is `share`."""
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(_sigmoid(score + middle)) < share else (low, middle)
    return _sigmoid(score + low)


def _sigmoid(score: Column) -> Column:
    chance: Column = 1 / (1 + np.exp(-np.clip(score, -30, 30)))
    return chance


def _whole(values: Column, low: int, high: int) -> Column:
    return np.clip(np.rint(values), low, high).astype(np.int64)


def _missing(random: np.random.Generator, values: Column, chance: Column | float) -> Column:
    """`values` as floats, each lost with its chance."""
    return np.where(random.random(len(values)) < chance, np.nan, values.astype(np.float64))


def _rare(random: np.random.Generator, n: int) -> Callable[[], Column]:
    """Gives, per column, what makes one payment in a hundred extraordinary: a car, a long pause, a far country."""
    return lambda: np.where(random.random(n) < 0.01, random.uniform(3, 5, n), 0.0)


def card_fraud(n: int, seed: int) -> Simulation:
    """Card payments, about one in twelve fraudulent. Amounts in cents, times in minutes, distances in kilometres.

    Exact: `balance_after = balance_before + amount`, `mean_amount_day = amount_day / payments_day`,
    `limit_share = amount / card_limit`, one channel of three, `payments_hour <= payments_day`.
    """
    random = np.random.default_rng([seed, 1])
    haste, reach, wealth, novelty = _traits(random, n, 4, 0.25)
    chance = _chance(1.6 * haste + 1.3 * reach + 1.1 * novelty - 0.4 * wealth, 0.08)
    fraud = (random.random(n) < chance).astype(np.int64)
    shift = fraud * random.gamma(5.0, 0.2, n)
    card_limit = _whole(np.exp(12.6 + 0.5 * wealth), 50_000, 5_000_000) // 10_000 * 10_000
    rare = _rare(random, n)
    amount = _whole(np.exp(8.1 + 0.5 * wealth + 0.7 * shift + 0.7 * random.standard_normal(n) + rare()), 100, 1_500_000)
    balance_before = _whole(card_limit * random.beta(1.5, 4, n), 0, 5_000_000)
    payments_hour = 1 + random.poisson(np.exp(-1.6 + 0.5 * haste + 0.3 * shift), n)
    payments_day = payments_hour + random.poisson(np.exp(0.4 + 0.3 * haste + 0.2 * shift), n)
    others = _whole(np.exp(7.6 + 0.6 * random.standard_normal(n)) * (payments_day - 1), 0, 20_000_000)
    channel = np.where(random.random(n) < 0.3 + 0.15 * fraud, 1, np.where(random.random(n) < 0.1, 2, 0))
    device_age = _whole(np.exp(5.6 - 0.5 * novelty - 1.1 * shift + 0.8 * random.standard_normal(n)), 0, 4000)
    columns: dict[str, Column] = {
        "amount": amount,
        "card_limit": card_limit,
        "limit_share": amount / card_limit,
        "balance_before": balance_before,
        "balance_after": balance_before + amount,
        "payments_hour": _whole(payments_hour, 1, 60),
        "payments_day": _whole(payments_day, 1, 200),
        "amount_day": others + amount,
        "mean_amount_day": (others + amount) / _whole(payments_day, 1, 200),
        "minutes_since_last": _whole(
            np.exp(5.8 - 0.6 * haste - 0.9 * shift + random.standard_normal(n) + rare()), 0, 40_000
        ),
        "distance_km": np.round(
            np.exp(1.4 + 0.8 * reach + 1.1 * shift + random.standard_normal(n) + 2 * rare()).clip(0, 12_000), 1
        ),
        "merchant_risk": np.round(_sigmoid(-2.2 + 0.3 * shift + 0.7 * random.standard_normal(n)), 3),
        "device_age_days": _missing(random, device_age, np.where(channel == 0, 0.5, 0.02)),
        "account_age_days": _whole(np.exp(7.0 - 0.3 * novelty + 0.6 * random.standard_normal(n)), 1, 15_000),
        "weekday": random.integers(0, 7, n),
        "channel_shop": (channel == 0).astype(np.int64),
        "channel_web": (channel == 1).astype(np.int64),
        "channel_phone": (channel == 2).astype(np.int64),
        "fraud": fraud,
    }
    columns["payments_hour"] = np.minimum(columns["payments_hour"], columns["payments_day"])
    return Simulation(columns, "fraud", CARD_FRAUD_CONTRACT)


CARD_FRAUD_CONTRACT = """\
# What a fraudster controls in a card payment: how much, how fast, where and from which device.
version: 1
subject: null
scale: train-range
features:
  amount:             {type: integer, min: 1, max: 1500000, move: any, cost: 1.0}
  card_limit:         {type: integer, min: 50000, max: 5000000, move: never}
  limit_share:        {type: number, derived: amount / card_limit}
  balance_before:     {type: integer, min: 0, max: 5000000, move: never}
  balance_after:      {type: integer, derived: balance_before + amount}
  payments_hour:      {type: integer, min: 1, max: 60, move: any, cost: 0.5}
  payments_day:       {type: integer, min: 1, max: 200, move: any, cost: 0.5}
  amount_day:         {type: integer, min: 1, max: 21500000, move: any, cost: 1.0}
  mean_amount_day:    {type: number, derived: amount_day / payments_day}
  minutes_since_last: {type: integer, min: 0, max: 40000, move: any, cost: 0.2}
  distance_km:        {type: number, min: 0, max: 12000, move: any, cost: 0.2}
  merchant_risk:      {type: number, min: 0, max: 1, move: any, cost: 0.5}
  device_age_days:    {type: integer, min: 0, max: 4000, move: any, cost: 0.5, missing: true}
  account_age_days:   {type: integer, min: 1, max: 15000, move: any, cost: 1.0}
  weekday:            {type: category, values: [0, 1, 2, 3, 4, 5, 6], move: never}
  channel_shop:       {type: category, values: [0, 1], move: never}
  channel_web:        {type: category, values: [0, 1], move: never}
  channel_phone:      {type: category, values: [0, 1], move: never}
groups:
  - {one_hot: [channel_shop, channel_web, channel_phone]}
relations:
  - {id: hour-in-day, rule: payments_hour <= payments_day}
  - {id: day-holds-payment, rule: amount_day >= amount}
"""


def credit_default(n: int, seed: int) -> Simulation:
    """Applications for higher credit limits, about one in five defaulting. Amounts in whole euros per month.

    Exact: `obligations = rent + loans`, `disposable = income - obligations`, `utilisation = balance / credit_limit`,
    one form of housing of three, `worst_delay >= delay`, no worst delay without late months.
    """
    random = np.random.default_rng([seed, 2])
    strain, means, order, age_trait = _traits(random, n, 4, 0.15)
    chance = _chance(2.2 * strain - 0.7 * means - 1.0 * order, 0.2)
    default = (random.random(n) < chance).astype(np.int64)
    late_months = np.where(random.random(n) < _sigmoid(-1.8 + 0.9 * strain + 1.5 * default), 1, 0) * (
        1 + random.poisson(np.exp(-0.4 + 0.4 * strain + 0.8 * default), n)
    )
    worst_delay = np.where(late_months > 0, 1 + random.poisson(0.6 + 0.7 * default, n), 0)
    income = _whole(np.exp(7.9 + 0.4 * means), 600, 40_000)
    rent = _whole(income * random.beta(3, 8, n), 0, 12_000)
    loans = _whole(income * random.beta(1.2, 8, n) * (1 + 0.2 * default), 0, 20_000)
    credit_limit = _whole(income * np.exp(0.6 + 0.3 * order), 500, 150_000) // 100 * 100
    balance = _whole(credit_limit * _sigmoid(-0.6 + 0.7 * strain + 0.4 * default), 0, 150_000)
    housing = np.where(random.random(n) < _sigmoid(-0.6 + 0.5 * means), 0, np.where(random.random(n) < 0.8, 1, 2))
    columns: dict[str, Column] = {
        "credit_limit": credit_limit,
        "income": income,
        "rent": rent,
        "loans": loans,
        "obligations": rent + loans,
        "disposable": income - (rent + loans),
        "balance": balance,
        "utilisation": balance / credit_limit,
        "payment_last": _whole(balance * random.beta(1.4, 5 + 2 * default, n), 0, 150_000),
        "payment_before": _whole(balance * random.beta(1.4, 5 + 2 * default, n), 0, 150_000),
        "late_months": _whole(late_months, 0, 24),
        "worst_delay": np.maximum(_whole(worst_delay, 0, 12), late_months > 0),
        "bureau_score": _missing(
            random,
            _whole(560 - 45 * strain + 25 * order - 20 * default + 25 * random.standard_normal(n), 300, 850),
            0.08,
        ),
        "age": _whole(42 + 11 * age_trait, 18, 90),
        "months_with_bank": _whole(random.beta(1.3, 3, n) * 12 * (42 + 11 * age_trait - 16).clip(2, None), 0, 800),
        "home_own": (housing == 0).astype(np.int64),
        "home_rent": (housing == 1).astype(np.int64),
        "home_family": (housing == 2).astype(np.int64),
        "default": default,
    }
    return Simulation(columns, "default", CREDIT_DEFAULT_CONTRACT)


CREDIT_DEFAULT_CONTRACT = """\
# What an applicant controls: recent payments upward, within a budget. History, income and bureau data are verified.
version: 1
subject: null
scale: train-range
features:
  credit_limit:     {type: integer, min: 500, max: 150000, move: never}
  income:           {type: integer, min: 600, max: 40000, move: never}
  rent:             {type: integer, min: 0, max: 12000, move: never}
  loans:            {type: integer, min: 0, max: 20000, move: never}
  obligations:      {type: integer, derived: rent + loans}
  disposable:       {type: integer, derived: income - obligations}
  balance:          {type: integer, min: 0, max: 150000, move: down, cost: 1.0}
  utilisation:      {type: number, derived: balance / credit_limit}
  payment_last:     {type: integer, min: 0, max: 150000, move: up, cost: 1.0}
  payment_before:   {type: integer, min: 0, max: 150000, move: never}
  late_months:      {type: integer, min: 0, max: 24, move: never}
  worst_delay:      {type: integer, min: 0, max: 12, move: never}
  bureau_score:     {type: integer, min: 300, max: 850, move: never, missing: true}
  age:              {type: integer, min: 18, max: 90, move: never}
  months_with_bank: {type: integer, min: 0, max: 800, move: never}
  home_own:         {type: category, values: [0, 1], move: never}
  home_rent:        {type: category, values: [0, 1], move: never}
  home_family:      {type: category, values: [0, 1], move: never}
groups:
  - {one_hot: [home_own, home_rent, home_family]}
relations:
  - {id: late-means-delay, rule: if late_months > 0 then worst_delay >= 1}
  - {id: no-delay-without-late, rule: if late_months == 0 then worst_delay == 0}
  - {id: payment-within-balance, rule: payment_last <= was(balance)}
  - {id: budget, rule: payment_last - was(payment_last) <= 500}
  - {id: paid-from-payment, rule: balance >= was(balance) - 500}
"""


def money_laundering(n: int, seed: int) -> Simulation:
    """Accounts over a month, about one in fifteen laundering. Amounts in whole euros.

    Exact: `mean_transfer = turnover / transfers`, `cash_share = cash_in / turnover`, cash and foreign money are part
    of the turnover, countries of high risk are among the countries.
    """
    random = np.random.default_rng([seed, 3])
    layering, trade, wealth, age_trait = _traits(random, n, 4, 0.2)
    chance = _chance(1.9 * layering - 0.6 * age_trait + 0.4 * trade, 0.065)
    laundering = (random.random(n) < chance).astype(np.int64)
    shift = laundering * random.gamma(6.0, 0.16, n)
    transfers = 1 + random.poisson(np.exp(2.0 + 0.5 * trade + 0.4 * shift), n)
    scale = 8.4 + 0.7 * wealth + 0.4 * trade + 0.6 * shift
    turnover = _whole(np.exp(scale + 0.3 * random.standard_normal(n)), 50, 10**7)
    cash_in = np.minimum(_whole(turnover * random.beta(1.1 + 1.2 * shift, 7, n), 0, 10**7), turnover)
    foreign = np.minimum(_whole(turnover * random.beta(1.0 + 0.8 * shift, 6, n), 0, 10**7), turnover)
    countries = 1 + random.poisson(np.exp(-0.7 + 0.4 * trade + 0.5 * shift), n)
    columns: dict[str, Column] = {
        "turnover": turnover,
        "transfers": _whole(transfers, 1, 5000),
        "mean_transfer": turnover / _whole(transfers, 1, 5000),
        "cash_in": cash_in,
        "cash_share": cash_in / turnover,
        "foreign": foreign,
        "countries": _whole(countries, 1, 60),
        "risky_countries": np.minimum(random.poisson(np.exp(-2.6 + 1.1 * shift), n), _whole(countries, 1, 60)),
        "counterparties": _whole(1 + random.poisson(np.exp(1.5 + 0.5 * trade + 0.3 * shift), n), 1, 3000),
        "hours_held": np.round(np.exp(5.0 - 0.9 * shift + 0.8 * random.standard_normal(n)).clip(0.1, 9000), 1),
        "just_below_limit": _whole(random.poisson(np.exp(-2.3 + 1.0 * shift), n), 0, 60),
        "account_age_months": _whole(np.exp(4.1 + 0.5 * age_trait + 0.4 * random.standard_normal(n)), 0, 700),
        "dormant_months": _missing(random, _whole(random.exponential(0.6 + 1.2 * shift, n), 0, 60), 0.06),
        "business": (random.random(n) < _sigmoid(-1.4 + 0.9 * trade)).astype(np.int64),
        "laundering": laundering,
    }
    return Simulation(columns, "laundering", MONEY_LAUNDERING_CONTRACT)


MONEY_LAUNDERING_CONTRACT = """\
# What a launderer can still change when the month is counted: more partners, money held a little longer.
version: 1
subject: null
scale: train-range
features:
  turnover:           {type: integer, min: 50, max: 10000000, move: never}
  transfers:          {type: integer, min: 1, max: 5000, move: never}
  mean_transfer:      {type: number, derived: turnover / transfers}
  cash_in:            {type: integer, min: 0, max: 10000000, move: never}
  cash_share:         {type: number, derived: cash_in / turnover}
  foreign:            {type: integer, min: 0, max: 10000000, move: never}
  countries:          {type: integer, min: 1, max: 60, move: never}
  risky_countries:    {type: integer, min: 0, max: 60, move: never}
  counterparties:     {type: integer, min: 1, max: 3000, move: up, cost: 1.0}
  hours_held:         {type: number, min: 0.1, max: 9000, move: up, cost: 1.0}
  just_below_limit:   {type: integer, min: 0, max: 60, move: never}
  account_age_months: {type: integer, min: 0, max: 700, move: never}
  dormant_months:     {type: integer, min: 0, max: 60, move: never, missing: true}
  business:           {type: category, values: [0, 1], move: never}
relations:
  - {id: cash-in-turnover, rule: cash_in <= turnover}
  - {id: foreign-in-turnover, rule: foreign <= turnover}
  - {id: risk-among-countries, rule: risky_countries <= countries}
  - {id: held-a-day-longer, rule: hours_held - was(hours_held) <= 24}
"""


def churn(n: int, seed: int) -> Simulation:
    """Customers of a bank, about one in six leaving within the quarter. Amounts in whole euros.

    Exact: `balance_change = balance - balance_quarter_ago`, one segment of three, complaints are among the contacts.
    """
    random = np.random.default_rng([seed, 4])
    discontent, wealth, loyalty, digital = _traits(random, n, 4, 0.15)
    chance = _chance(1.9 * discontent - 1.3 * loyalty, 0.16)
    leaves = (random.random(n) < chance).astype(np.int64)
    balance_ago = _whole(np.exp(8.0 + 0.9 * wealth), 0, 2_000_000)
    kept = np.exp(0.05 * random.standard_normal(n) - leaves * random.gamma(2.0, 0.2, n))
    contacts = random.poisson(np.exp(0.2 + 0.3 * discontent + 0.4 * leaves), n)
    segment = np.where(wealth > 1.1, 2, np.where(random.random(n) < 0.7, 0, 1))
    columns: dict[str, Column] = {
        "balance": _whole(balance_ago * kept, 0, 2_000_000),
        "balance_quarter_ago": balance_ago,
        "balance_change": _whole(balance_ago * kept, 0, 2_000_000) - balance_ago,
        "products": _whole(1 + random.poisson(np.exp(0.3 + 0.3 * loyalty - 0.3 * leaves), n), 1, 12),
        "tenure_months": _whole(np.exp(4.2 + 0.5 * loyalty + 0.4 * random.standard_normal(n)), 0, 720),
        "logins_month": _whole(random.poisson(np.exp(2.2 + 0.5 * digital - 0.5 * leaves), n), 0, 400),
        "contacts": _whole(contacts, 0, 40),
        "complaints": np.minimum(random.poisson(np.exp(-1.6 + 0.5 * discontent + 0.8 * leaves), n), contacts),
        "card_payments": _whole(random.poisson(np.exp(2.8 + 0.3 * digital - 0.6 * leaves), n), 0, 500),
        "age": _whole(44 + 12 * loyalty + 6 * random.standard_normal(n), 18, 95),
        "segment_mass": (segment == 0).astype(np.int64),
        "segment_young": (segment == 1).astype(np.int64),
        "segment_private": (segment == 2).astype(np.int64),
        "leaves": leaves,
    }
    return Simulation(columns, "leaves", CHURN_CONTRACT)


CHURN_CONTRACT = """\
# What a customer who wants to hide that he leaves can do: log in more, pay a little more by card.
version: 1
subject: null
scale: train-range
features:
  balance:             {type: integer, min: 0, max: 2000000, move: never}
  balance_quarter_ago: {type: integer, min: 0, max: 2000000, move: never}
  balance_change:      {type: integer, derived: balance - balance_quarter_ago}
  products:            {type: integer, min: 1, max: 12, move: never}
  tenure_months:       {type: integer, min: 0, max: 720, move: never}
  logins_month:        {type: integer, min: 0, max: 400, move: up, cost: 0.2}
  contacts:            {type: integer, min: 0, max: 40, move: never}
  complaints:          {type: integer, min: 0, max: 40, move: never}
  card_payments:       {type: integer, min: 0, max: 500, move: up, cost: 1.0}
  age:                 {type: integer, min: 18, max: 95, move: never}
  segment_mass:        {type: category, values: [0, 1], move: never}
  segment_young:       {type: category, values: [0, 1], move: never}
  segment_private:     {type: category, values: [0, 1], move: never}
groups:
  - {one_hot: [segment_mass, segment_young, segment_private]}
relations:
  - {id: complaints-are-contacts, rule: complaints <= contacts}
  - {id: few-more-logins, rule: logins_month - was(logins_month) <= 5}
  - {id: few-more-payments, rule: card_payments - was(card_payments) <= 3}
"""
