"""The figures of a day or a month.

Here: their request. Not here: what is on the page (figures_view.py).
"""

from aiohttp import web

from hall_gateway.console.figures_view import asked, minutes, pictures
from hall_gateway.console.once import Once
from hall_gateway.console.pages import CONSOLE
from hall_gateway.console.reading import reading
from hall_gateway.console.rendering import page, words_of
from hall_gateway.figures import report, rules_of
from hall_gateway.figures_model import Report, Satisfaction, Suppressed
from hall_gateway.hall_clock import MINUTE_MS

REPORTS = web.AppKey("reports", Once[Report])


async def show(request: web.Request) -> web.StreamResponse:
    """`?day=2026-11-22` or `?month=2026-11`; today without."""
    console, t = request.app[CONSOLE], words_of(request)
    now, rules = console.clock(), rules_of(console.config)
    period = asked(request.query, rules.clock, now)

    def read() -> Report:
        with reading(console.config.store.path) as connection:
            return report(connection, rules, period.from_ms, period.to_ms, now)

    key = (period.from_ms, period.to_ms, now // MINUTE_MS, id(console.config))
    told = await request.app[REPORTS].get(key, read)
    return page(
        request,
        "figures.html",
        period=period,
        report=told,
        charts=pictures(told, t),
        minutes=minutes,
        names={window.id: window.name for window in console.config.windows},
        is_suppressed=lambda figure: isinstance(figure, Suppressed),  # pyright: ignore[reportUnknownLambdaType]
        is_told=lambda figure: isinstance(figure, Satisfaction),  # pyright: ignore[reportUnknownLambdaType]
    )


def routes() -> list[web.RouteDef]:
    return [web.get("/figures", show)]
