"""A report as tables and notes, in one language.

Here: what stands in which row. Not here: the words (words.py), how a table is written (formats.py),
charts (charts.py).
"""

from dataclasses import dataclass

from hall_gateway.figures_model import (
    Busiest,
    Report,
    Satisfaction,
    Satisfied,
    Service,
    Spread,
    StaffFigures,
    Suppressed,
)
from hall_gateway.hall_clock import HallClock

from hall_tools.report.words import NOTHING, Lang, duration, percent, reason, say, until

Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    title: str
    head: Row
    rows: list[Row]


def clock_of(report: Report) -> HallClock:
    return HallClock(report.reset_hour, report.utc_offset_min)


def title(report: Report, lang: Lang) -> str:
    """The hall, the days that the report is of, and the hall's class."""
    clock = clock_of(report)
    first, last = clock.date(report.from_ms), clock.date(report.to_ms - 1)
    days = f"{first}" if first == last else f"{first} – {last}"
    kind = f"{say('class', lang)} {report.hall_class}"
    return f"{say('report', lang)} {report.hall} {days} ({kind})"


def tables(report: Report, lang: Lang) -> list[Table]:
    return [
        _overview(report, lang),
        _windows(report, lang),
        _staff(report, lang),
        _businesses(report, lang),
        _hours(report, lang),
        _presses(report, lang),
    ]


def notes(report: Report, lang: Lang) -> list[str]:
    """What a reader has to know, or would take for something else."""
    zh = lang == "zh"
    said = [
        "满意率 = (非常满意 + 满意) ÷ 有效评价；第二个数字另含一般。区间为 95% Wilson 区间；"
        "最坏至最好：把未评价的顾客全部当作不满意，或全部当作满意。"
        if zh
        else "Satisfied: marks 5 and 4 of all ratings that count; the second figure takes 3 as "
        "well. The interval is Wilson's, 95 %. Worst to best: as if all who were served and gave "
        "no rating had been dissatisfied, or satisfied.",
        "等候 = 叫号 − 取号，不含未到者与转号。中位数与 P90 按最近秩取值。"
        if zh
        else "Wait: from the ticket to its call, without no-shows and transfers. Median and P90 "
        "by nearest rank.",
        "定义、来源与局限见 docs/figures.md。"
        if zh
        else "Definitions, sources and what no figure can say: docs/figures.md.",
    ]
    if report.now_ms < report.to_ms:
        now = clock_of(report).text(report.now_ms)
        said.append(f"截至 {now}，尚未结束。" if zh else f"Not over: as of {now}.")
    if report.kept_from_ms is not None:
        kept = clock_of(report).text(report.kept_from_ms)
        said.append(
            f"{kept} 以前的数据没有保留。" if zh else f"Nothing is kept from before {kept}."
        )
    if not (report.days_open or report.footfall.quarters or report.pressed.raw):
        nothing = "没有这段时间的任何数据。" if zh else "Nothing at all is known of this time."
        return [nothing, *said]
    if report.busy.share is None:
        said.append(
            "没有员工登录，因此没有繁忙度与开放窗口。"
            if zh
            else "No clerk was logged in: there is no figure of how busy, nor of open windows."
        )
    if not report.tickets.taken:
        said.append(
            "排队系统没有发送取号命令（take），因此没有等候时间。"
            if zh
            else "The queue system sent no `take`: there are no waits."
        )
    return said


def _overview(report: Report, lang: Lang) -> Table:
    service, tickets, footfall = report.service, report.tickets, report.footfall
    rows: list[Row] = []

    def row(name: str, value: str, basis: str = "") -> None:
        rows.append((say(name, lang), value, basis))

    marks, part = service.satisfaction, service.participation
    if isinstance(marks, Satisfaction):
        for name, rule in (("satisfied", marks.strict), ("satisfied_wide", marks.wide)):
            row(name, percent(rule.share), f"{rule.good} / {marks.n}{_range(rule, lang)}")
    row("rated", percent(part.rated_share), f"{part.rated} / {part.ended}")
    row("prompted", percent(part.prompted_share), f"{part.prompted} / {part.ended}")
    for name, spread in (
        ("wait", service.wait),
        ("no_show_wait", service.no_show_wait),
        ("walk_away_wait", tickets.walk_away_wait),
        ("handling", service.handling),
    ):
        row(name, _spread(spread, lang), f"n = {spread.n}")
    for name, rate in (
        ("overtime", service.overtime),
        ("no_show", service.no_show),
        ("walk_away", tickets.walk_away),
    ):
        row(name, percent(rate.share), f"{rate.part} / {rate.whole}")
    busy = report.busy
    row("busy", percent(busy.share), f"{duration(busy.serving_ms)} / {duration(busy.open_ms)}")
    row("footfall", str(footfall.entered))
    row("left", str(footfall.left))
    for place, count in footfall.areas.items():
        rows.append((f"{say('areas', lang)} {place}", str(count), ""))
    clock = clock_of(report)
    for name, busiest in (
        ("peak", footfall.busiest),
        ("arrivals_peak", report.arrivals),
        ("inside", report.inside),
    ):
        row(name, *_busiest(busiest, clock))
    row("days_open", str(report.days_open))
    for target in report.targets:
        met = NOTHING if target.met is None else say("met" if target.met else "missed", lang)
        limit = f"≤ {duration(target.limit_ms)}"
        row(f"target_{target.name}", met, f"{duration(target.value_ms)}; {limit}")
    for name, count in (("overnight", service.overnight), ("pending", part.pending)):
        if count:
            row(name, str(count))
    return Table(say("overview", lang), _head(("figure", "value", "basis"), lang), rows)


def _windows(report: Report, lang: Lang) -> Table:
    rows = [
        (
            each.window,
            NOTHING if each.rank is None else str(each.rank),
            *_service(each.service, lang),
            percent(each.busy.share),
            duration(each.busy.open_ms),
        )
        for each in report.windows
    ]
    head = _head(("window", "rank", *_SERVICE, "busy", "open"), lang)
    return Table(say("windows", lang), head, rows)


def _staff(report: Report, lang: Lang) -> Table:
    rows = [(each.staff, str(each.services), *_clerk(each, lang)) for each in report.staff]
    return Table(say("staff", lang), _head(("clerk", "services", *_SERVICE), lang), rows)


def _clerk(figures: StaffFigures, lang: Lang) -> Row:
    if isinstance(figures.service, Suppressed):
        return (_suppressed(figures.service, lang), *[NOTHING] * (len(_SERVICE) - 1))
    return _service(figures.service, lang)


def _businesses(report: Report, lang: Lang) -> Table:
    rows = [
        (
            each.business or say("nobody", lang),
            duration(each.limit_ms),
            *_service(each.service, lang),
        )
        for each in report.business
    ]
    return Table(say("businesses", lang), _head(("business", "limit", *_SERVICE), lang), rows)


def _hours(report: Report, lang: Lang) -> Table:
    rows = [
        (
            f"{each.hour:02}:00",
            str(each.taken),
            str(each.entered),
            str(each.left),
            NOTHING if each.open_windows is None else f"{each.open_windows:.2f}",
            *_service(each.service, lang),
        )
        for each in report.hours
    ]
    head = _head(("hour", "taken", "footfall", "left", "open_windows", *_SERVICE), lang)
    return Table(say("hours", lang), head, rows)


def _presses(report: Report, lang: Lang) -> Table:
    pressed, none = report.pressed, report.service.participation.none
    rows: list[Row] = [
        (say("raw", lang), str(pressed.raw)),
        (say("counted", lang), str(pressed.counted)),
    ]
    for name, counts in (("quarantined", pressed.quarantined), ("none", none)):
        for code, count in counts.items():
            rows.append((f"{say(name, lang)}: {reason(code, lang)}", str(count)))
    return Table(say("presses", lang), _head(("figure", "value"), lang), rows)


_SERVICE = ("satisfied", "rated", "prompted", "wait", "handling", "overtime", "no_show")


def _service(service: Service, lang: Lang) -> Row:
    """The columns _SERVICE."""
    marks, part = service.satisfaction, service.participation
    if isinstance(marks, Suppressed):
        satisfied = _suppressed(marks, lang)
    else:
        rule = marks.strict
        low, high = percent(rule.low), percent(rule.high)
        satisfied = f"{percent(rule.share)} ({low}–{high}, n = {marks.n})" if marks.n else NOTHING
    return (
        satisfied,
        percent(part.rated_share),
        percent(part.prompted_share),
        _spread(service.wait, lang),
        _spread(service.handling, lang),
        percent(service.overtime.share),
        percent(service.no_show.share),
    )


def _suppressed(why: Suppressed, lang: Lang) -> str:
    return f"{say('too_few', lang)} (n = {why.n} < {why.needed})"


def _range(rule: Satisfied, lang: Lang) -> str:
    """What there is of it."""
    ranges = (("interval", rule.low, rule.high), ("bounds", rule.worst, rule.best))
    return "".join(
        f"; {say(name, lang)} {percent(low)}–{percent(high)}"
        for name, low, high in ranges
        if low is not None
    )


def _spread(spread: Spread, lang: Lang) -> str:
    if not spread.n:
        return NOTHING
    median, mean = say("median", lang), say("mean", lang)
    return (
        f"{median} {duration(spread.median_ms)}, P90 {duration(spread.p90_ms)}, "
        f"{mean} {duration(spread.mean_ms)}"
    )


def _busiest(busiest: Busiest | None, clock: HallClock) -> tuple[str, str]:
    return (NOTHING, "") if busiest is None else (str(busiest.count), until(clock, busiest.at, 15))


def _head(names: tuple[str, ...], lang: Lang) -> Row:
    return tuple(say(name, lang) for name in names)
