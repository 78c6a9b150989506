"""Starts ThingsBoard IoT Gateway in its own environment, where hall_tools is not: run as a file.

Here: keeping it on this machine. By itself it installs packages that it misses while it runs, and
asks its makers for updates once an hour. Not here: its settings (gateway_thingsboard.py).
"""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false


def main() -> None:
    from thingsboard_gateway import tb_gateway
    from thingsboard_gateway.tb_utility import tb_updater
    from thingsboard_gateway.tb_utility.tb_utility import TBUtility

    def install_package(package: str, *_: object, **_more: object) -> None:
        raise RuntimeError(f"{package} is missing: run make build/peers")

    def post(*_: object, **_more: object) -> None:
        raise ConnectionRefusedError("not while it is measured")

    TBUtility.install_package = staticmethod(install_package)
    tb_updater.post = post
    tb_gateway.daemon()


if __name__ == "__main__":
    main()
