"""Labels for devices: what is on them, as pictures and as sheets to print.

Here: the content of the QR code, drawing, sheets. Not here: keys (hall_gateway.keys), options and
output (commands).
"""
