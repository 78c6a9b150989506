"""The hall manager's web page: a process of its own, beside the gateway.

Here: what a browser is shown and may ask for. It reads the gateway's store through a read-only
connection, and changes something only by asking the gateway, through its control socket. Not here:
any rule of the hall, and SQL (store_console.py and the other tables' modules).
"""
