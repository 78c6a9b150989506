"""Where /health and /metrics are served on the network.

Here: the model of [http]. Not here: what they tell (health.py, metrics.py).
"""

import ipaddress

from pydantic import Field, field_validator

from hall_gateway.config_base import Port, Settings


class HttpConfig(Settings):
    """/health and /metrics, to be read by whoever can reach the port. Without the table only the
    control socket has them."""

    host: str = Field(
        default="127.0.0.1",
        description='"127.0.0.1" for this machine alone, or an IP address of this machine that '
        "only those can reach who may read the hall's figures",
    )
    port: Port = Field(default=9464, description="a TCP port, 1 to 65535")

    @field_validator("host")
    @classmethod
    def _is_address(cls, host: str) -> str:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise ValueError(f'"{host}" is not an IP address') from None
        if address.is_multicast:
            raise ValueError(f'"{host}" is no address of one machine')
        return host
