"""A report as one picture: waits, arrivals against open windows, satisfaction, footfall.

Here: the charts, and the font that has the Chinese words. Not here: the figures
(hall_gateway.kpis).
matplotlib takes half a second to import: only this module does.
"""

from typing import Any

import matplotlib
from hall_gateway.figures_model import Report, Satisfaction
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hall_tools.report.tables import clock_of, title
from hall_tools.report.words import Lang, percent, say, until

FONTS = (
    "WenQuanYi Micro Hei",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
)
"""Fonts with Chinese characters, the first that is there; Debian: fonts-wqy-microhei."""

_INK, _SOFT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
# Okabe and Ito's colours: told apart also by who sees no red or green.
_BLUE, _SKY, _ORANGE, _GREEN, _RED = "#0072b2", "#56b4e9", "#e69f00", "#009e73", "#d55e00"

_MINUTE = 60_000


def chinese_font() -> str | None:
    """The font that charts in Chinese need; None when there is none on this machine."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    return next((font for font in FONTS if font in known), None)


def picture(report: Report, lang: Lang, path_or_file: Any) -> None:
    """Write the PNG. Labels are in `lang`; names are as they are, and may need the font too."""
    font = chinese_font()
    style: dict[str, Any] = {
        "font.family": [font, "DejaVu Sans"] if font else ["DejaVu Sans"],
        "font.size": 10,
        "text.parse_math": False,  # a name may have a dollar in it
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "axes.edgecolor": _SOFT,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "axes.unicode_minus": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 13,
    }
    context: Any = getattr(matplotlib, "rc_context")  # noqa: B009 (its type is half unknown)
    with context(style):
        figure: Any = Figure(figsize=(14, 9), dpi=110, layout="constrained", facecolor="white")
        figure.get_layout_engine().set(w_pad=0.15, h_pad=0.15, wspace=0.04, hspace=0.05)
        figure.suptitle(title(report, lang), fontsize=15, x=0.012, ha="left")
        axes: Any = figure.subplots(2, 2)
        for draw, each in zip(
            (_waits, _arrivals, _satisfaction, _footfall), axes.flat, strict=True
        ):
            each.set_axisbelow(True)
            each.grid(axis="x" if draw is _satisfaction else "y", color=_GRID)
            each.tick_params(length=0)
            draw(report, lang, each)
        figure.savefig(path_or_file, format="png")


def _waits(report: Report, lang: Lang, axes: Any) -> None:
    axes.set_title(say("waits_by_hour", lang))
    found = [(each.hour, each.service.wait) for each in report.hours if each.service.wait.n]
    if not found:
        return _empty(axes, lang)
    hours = [hour for hour, _ in found]
    medians = [(wait.median_ms or 0) / _MINUTE for _, wait in found]
    worst = [(wait.p90_ms or 0) / _MINUTE for _, wait in found]
    axes.bar(hours, medians, width=0.62, color=_SKY, label=say("median", lang))
    axes.vlines(hours, medians, worst, color=_BLUE, linewidth=1.4)
    axes.plot(hours, worst, "o", color=_BLUE, markersize=6, label="P90")
    limit = report.targets[1]
    axes.axhline(
        limit.limit_ms / _MINUTE,
        color=_RED,
        linewidth=1.2,
        linestyle=(0, (5, 3)),
        label=f"{say('target_wait_p90', lang)} {limit.limit_ms // _MINUTE} min",
    )
    axes.set_ylim(0, 1.22 * max(*worst, limit.limit_ms / _MINUTE))
    axes.set_xticks(hours, [f"{hour}:00\nn = {wait.n}" for hour, wait in found], fontsize=9)
    axes.legend(frameon=False, ncols=3, loc="upper right")
    return None


def _arrivals(report: Report, lang: Lang, axes: Any) -> None:
    axes.set_title(_daily("arrivals_chart", report, lang))
    hours = [each.hour for each in report.hours]
    if not any(each.taken or each.open_windows for each in report.hours):
        return _empty(axes, lang)
    days = max(1, report.days_open)
    taken = [each.taken / days for each in report.hours]
    axes.bar(hours, taken, width=0.62, color=_ORANGE, label=say("taken", lang))
    axes.set_ylabel(say("taken", lang))
    axes.set_ylim(0, 1.25 * max(*taken, 1))
    open_windows = [each.open_windows or 0 for each in report.hours]
    other = axes.twinx()
    other.spines["right"].set_visible(True)
    other.tick_params(length=0)
    other.stairs(
        [*open_windows],
        [hour - 0.5 for hour in hours] + [hours[-1] + 0.5],
        color=_BLUE,
        linewidth=2.2,
        baseline=None,
        label=say("open_windows", lang),
    ) if hours == list(range(hours[0], hours[-1] + 1)) else other.plot(
        hours, open_windows, "s", color=_BLUE, label=say("open_windows", lang)
    )
    other.set_ylim(0, 1.25 * max(*open_windows, 1))
    other.set_ylabel(say("open_windows", lang), color=_BLUE)
    other.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    _clock_hours(axes, hours)
    bars, lines = axes.get_legend_handles_labels(), other.get_legend_handles_labels()
    axes.legend(bars[0] + lines[0], bars[1] + lines[1], frameon=False, ncols=2, loc="upper right")
    return None


def _satisfaction(report: Report, lang: Lang, axes: Any) -> None:
    axes.set_title(say("satisfaction_chart", lang))
    axes.set_xlim(0, 100)
    found: list[tuple[str, Satisfaction, bool]] = []
    for each in reversed(report.windows):
        marks = each.service.satisfaction
        if isinstance(marks, Satisfaction) and marks.n:
            found.append((f"{say('window', lang)} {each.window}", marks, each.rank is not None))
    whole = report.service.satisfaction
    if isinstance(whole, Satisfaction) and whole.n:
        found.insert(0, (say("whole", lang), whole, True))
    if not found:
        return _empty(axes, lang)
    for y, (_, marks, enough) in enumerate(found):
        rule = marks.strict
        low, high = 100 * (rule.low or 0), 100 * (rule.high or 0)
        colour = _GREEN if enough else _SOFT
        axes.hlines(y, low, high, color=colour, linewidth=5, alpha=0.35)
        share = 100 * (rule.share or 0)
        axes.plot(share, y, "o", color=colour, markersize=8, mfc=colour if enough else "white")
        axes.annotate(
            f"{percent(rule.share)}  n = {marks.n}",
            (min(max(share, 9), 91), y),
            (0, 6),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=9,
        )
    axes.set_yticks(range(len(found)), [name for name, _, _ in found])
    axes.set_ylim(-0.7, len(found) - 0.3)
    axes.xaxis.set_major_formatter("{x:.0f}%")
    if not all(enough for _, _, enough in found):
        axes.plot([], [], "o", mfc="white", color=_SOFT, label=say("few", lang))
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.06))
    return None


def _footfall(report: Report, lang: Lang, axes: Any) -> None:
    many = report.days_open > 1
    axes.set_title(_daily("footfall_chart", report, lang))
    quarters = report.footfall.quarters
    if not quarters:
        return _empty(axes, lang)
    days = max(1, report.days_open)
    hours = [quarter.minute / 60 for quarter in quarters]
    entered = [quarter.entered / days for quarter in quarters]
    left = [-quarter.left / days for quarter in quarters]
    bar: dict[str, Any] = {"width": 0.23, "align": "edge"}
    axes.bar(hours, entered, color=_BLUE, label=say("footfall", lang), **bar)
    axes.bar(hours, left, color=_SKY, label=say("left", lang), **bar)
    axes.axhline(0, color=_SOFT, linewidth=0.8)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=8, integer=not many))
    axes.yaxis.set_major_formatter(_without_sign)
    axes.set_ylim(1.1 * min(left), 1.45 * max(*entered, 0.1))
    axes.set_xticks(range(int(hours[0]), int(hours[-1]) + 2))
    axes.xaxis.set_major_formatter("{x:.0f}:00")
    axes.tick_params(axis="x", labelsize=9)
    if (busiest := report.footfall.busiest) and not many:
        clock = clock_of(report)
        at = (busiest.at + clock.utc_offset_min * _MINUTE) % (24 * 60 * _MINUTE) / (60 * _MINUTE)
        span = until(clock, busiest.at, 15)[-11:]
        axes.annotate(
            f"{say('peak', lang)} {span}: {busiest.count}",
            (at + 0.12, busiest.count / days),
            (0, 6),
            textcoords="offset points",
            ha="left" if at < (hours[0] + hours[-1]) / 2 else "right",
            fontsize=9,
        )
    axes.legend(frameon=False, ncols=2, loc="upper right")
    return None


def _daily(name: str, report: Report, lang: Lang) -> str:
    """A title, and that of several days it is the mean that is shown."""
    if report.days_open < 2:
        return say(name, lang)
    mean = say("per_day", lang)
    return f"{say(name, lang)}（{mean}）" if lang == "zh" else f"{say(name, lang)}, {mean}"


def _without_sign(value: float, _: int) -> str:
    return f"{abs(value):g}"


def _clock_hours(axes: Any, hours: list[int]) -> None:
    axes.set_xticks(hours, [f"{hour}:00" for hour in hours], fontsize=9)


def _empty(axes: Any, lang: Lang) -> None:
    axes.text(0.5, 0.5, say("no_data", lang), transform=axes.transAxes, ha="center", color=_SOFT)
    axes.set_xticks([])
    axes.set_yticks([])
