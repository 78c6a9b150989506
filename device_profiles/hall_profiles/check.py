"""From the data of a file to a Profile, or to everything that is wrong with it.

Here: the order of the checks, and the rules of single sections that are short. Every check works
with what is right around it, so that one mistake does not hide the others.
"""

from hall_profiles.check_fields import check_data, check_desired, check_events
from hall_profiles.check_pins import check_pins
from hall_profiles.drivers import DRIVERS, Driver, Keys, KeysMatrix, Panel, Probe
from hall_profiles.errors import ProfileError
from hall_profiles.model import Battery, Board, Header, Profile, RaspberryPi, Setting
from hall_profiles.roles import DRIVER_SETTINGS, REASONS, ROLES, Role, order_faults
from hall_profiles.shape import checked, compare_names, mapping, show, suggest
from hall_profiles.source import Source, Value

_RIGHT_SECTIONS = {
    "board": "the fields name, chip, flash_mb, psram",
    "driver": "the field name and the driver's own",
    "pins": "a GPIO number for each pin of the driver",
    "settings": "the role's settings, each with value, unit, min, max, title",
    "events": "the event kinds of the role, each with title and data",
    "desired": "the fields of the desired state, {} when there are none",
    "shows": "the fields of the shown state, {} when there are none",
}


def check(source: Source, stem: str) -> Profile:
    """The profile in a file called `stem`.yaml. Raises ProfileError with all that is wrong."""
    data = source.data
    if isinstance(data, dict):
        _check_sections(source, data, stem)
    elif not source.problems:
        what = "the file is empty" if data is None else f"the file is {show(data)}"
        source.add((), what, "a profile, which begins with name: and version:")
    if source.problems:
        raise ProfileError(sorted(source.problems, key=lambda problem: problem.line))
    return Profile.model_validate(data)


def _check_sections(source: Source, data: dict[str, Value], stem: str) -> None:
    optional = ("views", "battery")
    known = [name for name in Profile.model_fields if name not in optional]
    compare_names(source, (), data, known, "is not a field here", _right_section, optional=optional)
    header = {name: value for name, value in data.items() if name in Header.model_fields}
    checked(source, Header, header, (), missing_noted=True)
    name_noted = any(problem.field == "name" for problem in source.problems)
    if "name" in data and data["name"] != stem and not name_noted:
        source.add(("name",), f"is {show(data['name'])}", f"{stem}, as the file is called")
    role = ROLES.get(str(data.get("role")))
    pins = data.get("pins")
    if role and isinstance(pins, dict):
        role = role.wired(pins)
    spec = data.get("driver")
    if role and isinstance(spec, dict) and spec.get("reasons") is not None:
        role = role.having(REASONS)
    name, driver = None, None
    if "driver" in data:
        name, driver = _check_driver(source, data["driver"], role)
    if "board" in data:
        _check_board(source, data["board"], data.get("transport"), driver)
    if "pins" in data:
        options = role.options if role else ()
        check_pins(source, pins, data.get("board"), data["driver"] if name else None, options)
    if "settings" in data:
        settings = _check_settings(source, data["settings"], role, name)
        if isinstance(driver, Probe):
            _check_reach(source, driver, settings)
    if "events" in data:
        check_events(source, data["events"], role)
    if "desired" in data:
        check_desired(source, data["desired"], data.get("views"), role)
    if "shows" in data:
        shows = role.shows if role else None
        check_data(source, data["shows"], ("shows",), shows, role.may_show if role else None)
    if "battery" in data:
        checked(source, Battery, data["battery"], ("battery",))
        if data.get("transport") != "coap":
            right = "no battery, or transport: coap, whose devices sleep"
            source.add(
                ("battery",), f"is there, with transport {show(data.get('transport'))}", right
            )


def _right_section(name: str) -> str:
    field = Header.model_fields.get(name)
    return (field.description or "") if field else _RIGHT_SECTIONS[name]


def _check_board(source: Source, data: Value, transport: Value, driver: Driver | None) -> None:
    """Notes what is wrong with the board, and with what only one kind of board can have."""
    its_own = isinstance(data, dict) and data.get("chip") == "raspberrypi"
    board = checked(source, RaspberryPi if its_own else Board, data, ("board",))
    if board and its_own != (transport == "gateway"):
        if its_own:
            right = "gateway, which drives a panel on its own header"
            source.add(("transport",), f"is {show(transport)}", right)
        else:
            right = "raspberrypi, where transport is gateway"
            source.add(("board", "chip"), f"is {show(board.chip)}", right)
    if its_own and driver and not isinstance(driver, Panel):
        right = "one of hub12, hub08, hub75, which a Raspberry Pi can scan"
        source.add(("driver", "name"), f"is {show(driver.name)}", right)


def _check_driver(
    source: Source, data: Value, role: Role | None
) -> tuple[str | None, Driver | None]:
    """Notes what is wrong with the driver; its name when that is right, and itself when all is."""
    names = role.drivers if role else tuple(DRIVERS)
    spec = mapping(source, data, ("driver",), ("name", "..."))
    if spec is None:
        return None, None
    name = spec.get("name")
    if not isinstance(name, str) or name not in names:
        what = "is missing" if "name" not in spec else f"is {show(name)}"
        if isinstance(name, str) and name in DRIVERS:
            what += ", no driver for this role"
        source.add(("driver", "name"), what, suggest(str(name), names))
        return None, None
    driver = checked(source, DRIVERS[name], data, ("driver",))
    if isinstance(driver, Panel):
        _check_panel(source, driver)
    if isinstance(driver, Keys | KeysMatrix):
        _check_keys(source, driver)
    return name, driver


def _check_keys(source: Source, driver: Keys | KeysMatrix) -> None:
    if len(driver.marks) != driver.keys:
        what = f"has {len(driver.marks)} marks for {driver.keys} keys"
        source.add(("driver", "marks"), what, "one mark a key, key 1 first")
    if driver.reasons and len(driver.reasons) > driver.keys:
        what = f"has {len(driver.reasons)} reasons for {driver.keys} keys"
        source.add(("driver", "reasons"), what, "at most one reason a key")
    if isinstance(driver, KeysMatrix) and driver.rows * driver.columns < driver.keys:
        what = f"is {driver.rows}, with {driver.columns} columns too few for {driver.keys} keys"
        source.add(("driver", "rows"), what, "rows times columns at least as many as keys")


def _check_panel(source: Source, panel: Panel) -> None:
    columns, rows = panel.module()
    modules, rest = divmod(panel.width * panel.height, columns * rows)
    if panel.width % columns:
        what, right = f"is {panel.width}", f"a multiple of {columns}, a module's width"
        source.add(("driver", "width"), what, right)
    if panel.height not in panel.HEIGHTS:
        right = " or ".join(str(height) for height in panel.HEIGHTS)
        source.add(("driver", "height"), f"is {panel.height}", f"{right}, of modules {rows} high")
    elif not rest and panel.chain != modules:
        what = f"is {panel.chain} for {panel.width}×{panel.height}"
        source.add(("driver", "chain"), what, f"{modules}, of modules {columns}×{rows}")
    if panel.row_order is not None and sorted(panel.row_order) != list(range(panel.scan)):
        right = f"each of 0 to {panel.scan - 1} once, the row that address 0 lights first"
        source.add(("driver", "row_order"), f"is {show(panel.row_order)}", right)


def _check_settings(
    source: Source, data: Value, role: Role | None, driver: str | None
) -> dict[str, Setting]:
    """Notes what is wrong with the settings; those that are right by themselves."""
    known = dict(role.settings) if role else {}
    if driver:
        known |= DRIVER_SETTINGS.get(driver, {})
    settings = mapping(source, data, ("settings",), known)
    if settings is None:
        return {}
    if role and driver:
        compare_names(
            source, ("settings",), settings, known, "is no setting of this role",
            lambda name: f"a setting in {known[name]} with value, unit, min, max, title",
        )  # fmt: skip
    right_ones: dict[str, Setting] = {}
    for name, spec in settings.items():
        path = ("settings", name)
        if setting := checked(source, Setting, spec, path):
            _check_setting(source, setting, name, known.get(name))
            if role and name in role.limits:
                _check_limits(source, setting, name, role.limits[name])
            right_ones[name] = setting
    values = {name: setting.value for name, setting in right_ones.items()}
    for name, what, right in order_faults(role, values) if role else ():
        source.add(("settings", name, "value"), what, right)
    return right_ones


def _check_limits(source: Source, setting: Setting, name: str, limits: tuple[int, int]) -> None:
    low, high = limits
    right = f"within {low} to {high} {setting.unit}, what the role can use"
    if setting.min < low:
        source.add(("settings", name, "min"), f"is {setting.min}", right)
    if setting.max > high:
        source.add(("settings", name, "max"), f"is {setting.max}", right)


def _check_reach(source: Source, probe: Probe, settings: dict[str, Setting]) -> None:
    """Notes thresholds that a hall could set where this probe's readings never cross them."""
    short, cut = probe.reach()
    for name, end, state, ohms in (
        ("short_ohms", "min", "a short circuit", short),
        ("dry_ohms", "max", "a dry floor", probe.end_ohms),
        ("open_ohms", "min", "a dry floor", probe.end_ohms),
        ("open_ohms", "max", "a cut cable", cut),
    ):
        if name not in settings:
            continue
        value = settings[name].min if end == "min" else settings[name].max
        if (value <= ohms) if end == "min" else (value >= ohms):
            right = f"{'above' if end == 'min' else 'below'} {ohms}"
            source.add(("settings", name, end), f"is {value}, but {state} reads {ohms} ohm", right)


def _check_setting(source: Source, setting: Setting, name: str, unit: str | None) -> None:
    path = ("settings", name)
    if unit and setting.unit != unit:
        right = f"{unit}, in which the firmware counts it"
        source.add((*path, "unit"), f"is {setting.unit}", right)
    if setting.min > setting.max:
        source.add((*path, "min"), f"is {setting.min}, above max", f"at most {setting.max}")
    elif not setting.min <= setting.value <= setting.max:
        right = f"{setting.min} to {setting.max} {unit or setting.unit}"
        source.add((*path, "value"), f"is {setting.value}", right)
