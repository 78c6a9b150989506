"""The gateway as one process: what is started, in which order, and how it ends.

Here: composition, the clock, signals. Not here: any rule of the hall, any topic.

Losing a connection never ends the service. The failure of one of its tasks does: the others are
cancelled and the error is raised. SIGTERM and SIGINT end it in order: no new messages are taken,
what was taken is committed and acked, the hall is told `online` 0, the store is closed.

The service manager's watchdog is fed while the gateway makes progress: a second's tick comes
through the store's thread and back, and of what the brokers have delivered something was taken. A
store that takes nothing is no reason to start again, for then the gateway waits on purpose.
"""

import asyncio
import logging
import os
import signal
import time
from collections import ChainMap, Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from hall_gateway import config_api, rules_api, sinks_api, updates_api, wanted
from hall_gateway.config import GatewayConfig
from hall_gateway.config_links import BrokerConfig, MqttConfig
from hall_gateway.control import NAME as CONTROL_SOCKET
from hall_gateway.control import Control
from hall_gateway.core import Core
from hall_gateway.devices_mqtt import DevicesMqtt
from hall_gateway.hall_link import HallLink
from hall_gateway.health_api import HttpSide
from hall_gateway.kept_out import KeptOut
from hall_gateway.keys import FOLDER
from hall_gateway.local_display import Gpio, LocalDisplay
from hall_gateway.mqtt import MqttClient
from hall_gateway.observed import Observed
from hall_gateway.plan import plan_of
from hall_gateway.release_store import ReleaseStore
from hall_gateway.rules_watch import RulesFile
from hall_gateway.settings_file import SettingsFile
from hall_gateway.sinks import Sinks
from hall_gateway.systemd import ServiceManager
from hall_gateway.trial import Trial
from hall_gateway.update_fetch import Fetches
from hall_gateway.values import DeviceOrder, StoreError

log = logging.getLogger(__name__)

DRAIN_S = 5.0
"""How long an orderly end waits for commits and acks that are underway, on each side."""
TICK_S = 1.0


class Gateway:
    """The composed gateway; `run` is all there is to do with it."""

    def __init__(
        self,
        config: GatewayConfig,
        core: Core,
        devices: MqttClient,
        hall: MqttClient,
        displays: Sequence[LocalDisplay],
        coap: wanted.Coap,
        manager: ServiceManager,
        settings: SettingsFile | None,
        control: Control,
        sinks: Sinks,
        kept_out: KeptOut,
    ) -> None:
        self.core = core
        self._control = control
        self._sinks = sinks
        self.settings = settings
        self._manager = manager
        self.again = False
        """Whether it is to be started again when it has ended."""
        self._before: tuple[int, object] = (0, 0)
        self.brokers = {"devices": devices, "hall": hall, **sinks.brokers}
        responses = config.upstream.response_topics
        self._hall = HallLink(config.hall, hall, core, self.health, responses)
        self._displays = displays
        self._coap = coap
        local: dict[str, Callable[[DeviceOrder], None]] = {d.id: d.order for d in displays}
        self.releases = ReleaseStore(config.releases, config.updates.trusted)
        self._fetches = Fetches(self.releases)
        orders = ChainMap(local, coap.orders)
        self._kept_out = kept_out
        self._devices = DevicesMqtt(config, devices, core, orders, self._fetches, kept_out)
        self._observed = Observed(
            *(core, self.brokers | sinks.servers, self.health, config.store.max_mb, settings),
            fetches=self._fetches.counts,
            told_again=lambda: sinks.told_again,
        )
        sinks.judged = self._observed.judged
        control.add(self._observed.routes())
        if settings is not None:
            control.add(config_api.routes(settings))
        self.rules = RulesFile(config.rules and config.rules.file, core, plan_of(config))
        control.add(rules_api.routes(core))
        control.add(updates_api.routes(core, self.releases))
        self._http = HttpSide(config.http, self._observed.routes()) if config.http else None

    @property
    def coap_port(self) -> int:
        """UDP; 0 for none."""
        return self._coap.port

    def health(self) -> dict[str, object]:
        """The core's figures, and what never reached it, by reason.

        Without `last_commit`, for there is one at every tick, and these are published on change.
        """
        counters = [mqtt.counters for mqtt in self.brokers.values()]
        refused = Counter(bad_topic=sum(each.bad_topics for each in counters))
        refused["oversized"] = sum(each.oversized for each in counters)
        refused.update(self._devices.refused)
        refused.update(self._fetches.refused)
        refused.update(self._hall.refused)
        refused.update(self._sinks.refused)
        figures = {**self.core.health(), "refused_by_links": dict(refused)}
        figures |= self._kept_out.figures()
        if coap := self._coap.figures():
            figures["coap"] = coap
        if self.settings is not None:
            figures["settings"] = {**self.settings.counts, "pending": self.settings.pending}
        figures["rule_file"] = self.rules.figures()
        figures.pop("last_commit", None)
        return figures

    def report(self) -> dict[str, object]:
        """health(), how the connections to the brokers are, and what is wrong; for this machine
        alone."""
        return {**self._observed.report(), **self._observed.judged().told()}

    async def follow(self, config: GatewayConfig) -> None:
        """Windows, devices and rating of `config` in place of those until now. Raises StoreError;
        then nothing has changed."""
        plan = plan_of(config)
        await self.core.follow(plan)
        self._coap.follow(config)
        self._devices.follow(config)
        self._sinks.follow(plan, config.figures.hall_class)
        self.rules.follow(config.rules and config.rules.file, plan)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; raises what ended a task, when that comes first."""
        intake = (self._devices.receive(), self._hall.receive(), self._control.run())
        steady = (self._devices.run(), self._hall.run(), self._coap.run(), self._tick())
        steady = (*steady, self._kept_out.run())
        async with asyncio.TaskGroup() as group:
            receiving = [group.create_task(work) for work in intake]
            working = [group.create_task(work) for work in (*steady, self._sinks.run())]
            working += [group.create_task(mqtt.supervise()) for mqtt in self.brokers.values()]
            working += [group.create_task(display.run()) for display in self._displays]
            working.append(group.create_task(self.rules.watch()))
            if self._http is not None:
                working.append(group.create_task(self._http.run()))
            if self.settings is not None:
                working.append(group.create_task(self.settings.watch(self.follow)))
            self._manager.ready("works; hall doctor tells how everything is")
            await stop.wait()
            (self._manager.starting_again if self.again else self._manager.stopping)()
            for task in receiving:
                task.cancel()
            await self._drain()
            for task in working:
                task.cancel()

    async def _drain(self) -> None:
        ends = [display.finish for display in self._displays]
        links = (self._coap.finish, self._devices.idle, self._sinks.finish, self._hall.finish)
        for underway in (*ends, *links):
            try:
                async with asyncio.timeout(DRAIN_S):
                    await underway()
            except TimeoutError:
                log.warning("ended after %.0f s with messages underway; they come again", DRAIN_S)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            with suppress(StoreError):  # the core says so in the log, and the next tick makes up
                await self.core.tick()
            self._manager.status(self._observed.judged().line)
            if self._progresses():
                self._manager.progressed(self.report)

    def _progresses(self) -> bool:
        """Whether messages that wait are taken, or the store refuses them."""
        health = self.core.health()
        waiting = any(mqtt.waiting for mqtt in self.brokers.values())
        taken = sum(mqtt.taken for mqtt in self.brokers.values())
        before, self._before = self._before, (taken, health.get("failed_commits", 0))
        return not waiting or before != self._before or bool(health.get("store_full"))


@asynccontextmanager
async def composed(
    config: GatewayConfig,
    open_gpio: Callable[[], Gpio] = Gpio,
    file: Path | None = None,
    trial: Trial | None = None,
    hopeless: Mapping[str, str] | None = None,
) -> AsyncGenerator[Gateway, None]:
    """The gateway, its parts open; `file` is where `config` came from, to be followed, `trial` and
    `hopeless` as SettingsFile has them."""
    async with AsyncExitStack() as stack:
        core = await Core.open(config, _unix_ms, _steady_ms)
        stack.push_async_callback(core.close)
        if config.broker.mode == "embedded":
            await stack.enter_async_context(wanted.embedded(config.broker.host, config.broker.port))
        devices = await stack.enter_async_context(
            MqttClient(
                "device broker",
                config.broker,
                f"hallkit-{config.hall}-devices",
                DevicesMqtt.subscriptions(),
            )
        )
        hall = await stack.enter_async_context(
            MqttClient(
                "hall broker",
                config.upstream,
                config.upstream.client_id or f"hallkit-{config.hall}",
                HallLink.subscriptions(config.hall),
                HallLink.will(config.hall),
            )
        )
        displays = [
            LocalDisplay(own.id, config.compiled(own), core, _unix_ms, open_gpio=open_gpio)
            for own in config.own_displays()
        ]
        keys = (file or config.store.path).parent / FOLDER
        kept_out = KeptOut(core, config.limits.limits())
        coap = await stack.enter_async_context(wanted.coap(config, core, keys, kept_out.quarantine))
        manager = ServiceManager(os.environ, _unix_ms)
        settings = SettingsFile(file, config, _unix_ms, trial, hopeless) if file else None
        control = Control(core, config.store.path.with_name(CONTROL_SOCKET), sinks_api.routes(core))
        sinks = await stack.enter_async_context(await Sinks.open(config, core))
        yield Gateway(
            *(config, core, devices, hall, displays, coap, manager, settings, control, sinks),
            kept_out=kept_out,
        )


async def serve(
    config: GatewayConfig,
    ready: Callable[[str], None],
    open_gpio: Callable[[], Gpio] = Gpio,
    file: Path | None = None,
    trial: Trial | None = None,
    hopeless: Mapping[str, str] | None = None,
) -> bool:
    """Run the gateway until SIGTERM or SIGINT; True when it has to be started again, for settings
    that are on trial, or not any more.

    `ready` gets one line when devices can reach the gateway; `open_gpio` gives the registers of
    this machine's header, where a display hangs on it; changes of `file`, where `config` came
    from, are followed, and SIGHUP has it read at once. Raises StoreOpenError, BrokerStartError,
    CoapStartError or ConfigError when it cannot start, and whatever ends one of its tasks.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    ended = False

    def end() -> None:
        nonlocal ended
        ended = True
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)

    async with composed(config, open_gpio, file, trial, hopeless) as gateway:
        if gateway.settings is not None:
            loop.add_signal_handler(signal.SIGHUP, gateway.settings.look)
            gateway.settings.restart = partial(_start_again, gateway, stop)
        running = asyncio.create_task(gateway.run(stop))
        connected = asyncio.create_task(gateway.brokers["devices"].wait_connected())
        await asyncio.wait((running, connected), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            ready(_ready_line(config, gateway.coap_port))
        connected.cancel()
        await running
    return gateway.again and not ended


def _start_again(gateway: Gateway, stop: asyncio.Event) -> None:
    gateway.again = True
    stop.set()


def _unix_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def _ready_line(config: GatewayConfig, coap: int) -> str:
    """`coap`: the UDP port of battery devices, 0 for none."""
    where = config.coap
    battery = f"CoAP at {where.host}:{coap} (UDP), " if where is not None else ""
    return (
        f"ready: hall {config.hall}, {len(config.devices)} devices at {_where(config.broker)}, "
        f"{battery}hall system at {_where(config.upstream)}, store {config.store.path}"
    )


def _where(broker: MqttConfig) -> str:
    embedded = isinstance(broker, BrokerConfig) and broker.mode == "embedded"
    return f"{broker.host}:{broker.port}{' (embedded)' if embedded else ''}"
