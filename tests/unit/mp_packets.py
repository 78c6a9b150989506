"""The cipher suites that are offered, of a list as the ESP32's mbedTLS has it."""

from hall.packets import psk_suites

for name in psk_suites(
    (
        "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384",
        "TLS-DHE-PSK-WITH-AES-256-GCM-SHA384",
        "TLS-PSK-WITH-AES-256-GCM-SHA384",
        "TLS-RSA-PSK-WITH-AES-256-GCM-SHA384",
        "TLS-ECDHE-PSK-WITH-AES-256-CBC-SHA384",
        "TLS-PSK-WITH-AES-128-CBC-SHA256",
        "TLS-ECDHE-PSK-WITH-AES-128-CBC-SHA256",
    )
):
    print(name)
