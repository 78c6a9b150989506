"""Names of a production installation.

Here: paths, users, ports. Not here: what is in the files (plan.py and templates/).
"""

from pathlib import Path

USER = "hallkit"
BROKER_USER = "mosquitto"
GPIO_GROUP = "gpio"
"""On Raspberry Pi OS: who may use the header."""
SERVICE = "hallkit-gateway.service"
CONSOLE_USER = "hallkit-console"
CONSOLE_SERVICE = "hallkit-console.service"
BROKER_SERVICE = "mosquitto.service"
FIREWALL_SERVICE = "hallkit-firewall.service"

FOLDER = "/etc/hallkit"
CONFIG = f"{FOLDER}/hall.toml"
FIREWALL = f"{FOLDER}/firewall.nft"
STATE = "/var/lib/hallkit"
CONSOLE_STATE = "/var/lib/hallkit-console"
RUNTIME = "/run/hallkit"
UNITS = "/etc/systemd/system"
JOURNAL = "/etc/systemd/journald.conf.d/hallkit.conf"
JOURNAL_SERVICE = "systemd-journald.service"
BROKER_MAIN = "/etc/mosquitto/mosquitto.conf"
BROKER_CONF = "/etc/mosquitto/conf.d/hallkit.conf"
BROKER_DROP_IN = f"{UNITS}/{BROKER_SERVICE}.d/hallkit.conf"

KEYS = Path("keys")
BROKER_FOLDER = Path("mosquitto")
WIFI = Path("wifi.toml")
"""The three lie beside hall.toml."""
