"""The words of a report in Chinese and English, and how its numbers are written.

Here: names, reasons, durations, shares. Not here: which of them stand where (tables.py, charts.py).
"""

from typing import Literal

from hall_gateway.hall_clock import HallClock

Lang = Literal["zh", "en"]

_WORDS: dict[str, tuple[str, str]] = {
    "report": ("服务大厅报表", "Service hall report"),
    "class": ("大厅等级", "class"),
    "overview": ("概览", "Overview"),
    "windows": ("窗口", "Windows"),
    "staff": ("员工", "Clerks"),
    "businesses": ("业务", "Businesses"),
    "hours": ("时段", "Hours"),
    "presses": ("按键与未评价原因", "Presses, and why there is no rating"),
    "notes": ("说明", "Notes"),
    "figure": ("指标", "Figure"),
    "value": ("数值", "Value"),
    "basis": ("依据", "Of"),
    "window": ("窗口", "Window"),
    "clerk": ("员工", "Clerk"),
    "business": ("业务", "Business"),
    "hour": ("时段", "Hour"),
    "rank": ("排名", "Rank"),
    "satisfied": ("满意率", "Satisfied"),
    "satisfied_wide": ("满意率（含一般）", "Satisfied or neutral"),
    "interval": ("95% 区间", "95 % interval"),
    "bounds": ("最坏至最好", "Worst to best"),
    "rated": ("参评率", "Rated"),
    "prompted": ("提示率", "Prompted"),
    "wait": ("等候", "Wait"),
    "no_show_wait": ("未到者等候", "Wait of no-shows"),
    "walk_away_wait": ("离开者等候", "Wait of those who left"),
    "handling": ("办理", "Handling"),
    "overtime": ("超时率", "Over limit"),
    "no_show": ("弃号率", "No-shows"),
    "walk_away": ("离开率", "Walk-aways"),
    "busy": ("繁忙度", "Busy"),
    "open": ("开放时长", "Open"),
    "footfall": ("进入", "Came in"),
    "left": ("离开", "Went out"),
    "whole": ("全厅", "Whole hall"),
    "areas": ("进入区域", "Went into"),
    "peak": ("客流高峰", "Busiest 15 minutes"),
    "arrivals_peak": ("取号高峰", "Most tickets in 15 minutes"),
    "inside": ("在场峰值", "Most inside"),
    "days_open": ("营业天数", "Days open"),
    "taken": ("取号", "Tickets"),
    "open_windows": ("开放窗口", "Open windows"),
    "limit": ("时限", "Limit"),
    "services": ("办理笔数", "Services"),
    "overnight": ("跨日未结束", "Not ended that day"),
    "pending": ("待送达评价", "Ratings not heard of yet"),
    "target_wait_mean": ("目标：平均等候", "Target: mean wait"),
    "target_wait_p90": ("目标：P90 等候", "Target: P90 wait"),
    "met": ("达标", "met"),
    "missed": ("未达标", "missed"),
    "raw": ("按键总数", "Presses, raw"),
    "counted": ("可计按键", "Presses that may count"),
    "quarantined": ("不计按键", "Press not counted"),
    "none": ("未评价", "No rating"),
    "nobody": ("未登记", "not named"),
    "median": ("中位", "median"),
    "mean": ("平均", "mean"),
    "too_few": ("样本不足，不显示", "too few, not shown"),
    "waits_by_hour": ("各时段等候（分钟）", "Wait by hour (minutes)"),
    "arrivals_chart": ("取号与开放窗口", "Tickets against open windows"),
    "satisfaction_chart": (
        "各窗口满意率与 95% 区间",
        "Satisfied by window, with 95 % interval",
    ),
    "footfall_chart": ("每 15 分钟客流", "Footfall by 15 minutes"),
    "per_day": ("日均", "mean per day"),
    "no_data": ("无数据", "no data"),
    "few": ("样本少于排名下限", "fewer ratings than a ranking needs"),
}

_REASONS: dict[str, tuple[str, str]] = {
    "timeout": ("超时未按", "nobody pressed"),
    "next_call": ("已叫下一号", "the next ticket was called"),
    "not_prompted": ("未提示", "nobody was asked"),
    "press_lost": ("按键丢失", "the press was lost"),
    "no_keypad": ("无评价器", "no keypad"),
    "mashing": ("乱按", "mashing"),
    "stuck_key": ("卡键", "stuck key"),
    "service_too_short": ("服务时间过短", "service too short"),
    "fast_best_run": ("连续快速好评", "run of fast best marks"),
    "too_soon": ("间隔过短", "too soon"),
    "locked": ("已锁定", "locked"),
    "late": ("已结束", "late"),
    "out_of_session": ("不在评价时间", "nobody was asked"),
    "unknown_key": ("无此键", "no such key"),
    "no_rating": ("无对应评价", "no rating it belongs to"),
}

NOTHING = "—"


def say(name: str, lang: Lang) -> str:
    return _WORDS[name][lang == "en"]


def reason(code: str, lang: Lang) -> str:
    """A code that is not known yet stands for itself."""
    return _REASONS.get(code, (code, code))[lang == "en"]


def percent(share: float | None) -> str:
    """A share of 0 to 1 with two decimals of a percent: all that it has."""
    return NOTHING if share is None else f"{share * 100:.2f}%"


def duration(ms: int | None) -> str:
    """Minutes and seconds, 12:05; from an hour on 1:12:05. Rounded half up to a second."""
    if ms is None:
        return NOTHING
    minutes, seconds = divmod((ms + 500) // 1000, 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours}:{rest:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def until(clock: HallClock, at: int, minutes: int) -> str:
    """A quarter of an hour, or another span, as the hall's clock shows it."""
    return f"{clock.text(at)}–{clock.text(at + minutes * 60_000)[-5:]}"
